"""What is installed: lock files with hashes, the list of components, known weaknesses."""
