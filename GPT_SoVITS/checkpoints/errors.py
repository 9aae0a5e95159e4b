"""The error every reader of model files raises, and the size no file may exceed; needs no torch."""

MAX_FILE_BYTES = 8 * 1024**3


class CheckpointError(ValueError):
    """A model file cannot be used; the message names the file and the reason."""
