"""Who computes: as many threads at once as there are processors, the others wait for their turn."""

from __future__ import annotations

import threading


class Processors:
    """A number of places; `with` takes one and waits for it."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._lock = threading.Lock()
        self._takers = threading.Condition(self._lock)
        self._lookers = threading.Condition(self._lock)

    def __enter__(self) -> None:
        with self._lock:
            self._takers.wait_for(lambda: self._free > 0)
            self._free -= 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._free += 1
            self._takers.notify()
            self._lookers.notify_all()

    def wait_for_one(self, seconds: float) -> None:
        """Until a place is free, and no longer than that; takes none."""
        with self._lock:
            self._lookers.wait_for(lambda: self._free > 0, seconds)
