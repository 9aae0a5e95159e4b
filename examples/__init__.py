"""Small programs that use the package as a reader would."""
