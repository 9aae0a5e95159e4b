"""Stopping a reply between two steps, from any thread.

cancel = threading.Event()
talker.speak(dialogue, text, cancel=cancel)      # raises ReplyCancelled soon after cancel.set()
"""

from __future__ import annotations

from typing import Protocol


class ReplyCancelled(RuntimeError):
    """The reply was stopped by its caller; nothing of it is kept beyond what was spoken."""


class Cancel(Protocol):
    """A ``threading.Event``, or anything that can say whether it is set."""

    def is_set(self) -> bool:
        """Whether to stop."""


def stop_if(cancel: Cancel | None) -> None:
    """Called between steps: raises :class:`ReplyCancelled` once ``cancel`` is set."""
    if cancel is not None and cancel.is_set():
        raise ReplyCancelled("the reply was cancelled")
