"""The controlled benchmark: response style follows from the history's speech alone."""
