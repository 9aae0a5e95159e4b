"""Stopping a reply between two steps, from any thread.

cancel = threading.Event()
talker.speak(dialogue, text, cancel=cancel)      # raises ReplyCancelled soon after cancel.set()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class ReplyCancelled(RuntimeError):
    """The reply was stopped by its caller; nothing of it is kept beyond what was spoken."""


class Cancel(Protocol):
    """A ``threading.Event``, or anything that can say whether it is set."""

    def is_set(self) -> bool:
        """Whether to stop."""


def checked(tokens: Iterable[int], cancel: Cancel | None) -> Iterator[int]:
    """The tokens; raises :class:`ReplyCancelled` before the next one once ``cancel`` is set."""
    stream = iter(tokens)
    while True:
        if cancel is not None and cancel.is_set():
            raise ReplyCancelled("the reply was cancelled")
        token = next(stream, None)
        if token is None:
            return
        yield token
