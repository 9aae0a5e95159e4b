"""What the training scripts tell the shell: exit status and one sentence instead of a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)
DONE, REFUSED, INTERRUPTED = 0, 2, 130


class TrainingStopped(Exception):
    """Asked to stop, and has; the checkpoint of its last step is written."""


def run(train: Callable[[], Path]) -> int:
    """Run a training; 0 when it ended, 2 with the reason when data, files or settings do not fit.

    Faults of our own code keep their traceback: only the package's error classes and the operating
    system's are sentences for the user.
    """
    try:
        train()
    except TrainingStopped as stopped:
        log.error("%s; the same command goes on from there", stopped)
        return INTERRUPTED
    except KeyboardInterrupt:
        log.error("stopped; the same command goes on from the last checkpoint")
        return INTERRUPTED
    except (ValueError, RuntimeError, OSError) as error:
        ours = type(error).__module__.startswith("GPT_SoVITS.")
        if not ours and not isinstance(error, OSError):
            raise
        log.error("error: %s", error)
        return REFUSED
    return DONE
