"""Recordings of dialogues -> training data, in five steps: `python -m prepare_datasets --help`."""
