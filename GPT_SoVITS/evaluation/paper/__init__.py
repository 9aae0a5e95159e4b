"""The rows of the paper's tables as experiments that can be run."""
