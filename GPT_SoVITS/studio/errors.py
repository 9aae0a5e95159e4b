"""What went wrong, as a sentence for the person at the page."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class StudioError(ValueError):
    """Something the person can change; the message says what to do."""


def sentence(error: Exception) -> str:
    """The words of an error of ours or of the system; faults of the program are named as such."""
    ours = type(error).__module__.split(".")[0] == "GPT_SoVITS"
    if ours or isinstance(error, OSError):
        return str(error)
    log.error("a page failed", exc_info=error)
    return f"{type(error).__name__}: {error}. This is a fault of the program; the log has more."
