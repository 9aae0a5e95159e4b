"""One piece of work: made by a request, done by a worker thread, read by the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from GPT_SoVITS.server.batching import BatchedGeneration, Cancelled

Work = Callable[["Job"], Iterator[Any]]
"""Runs in a worker thread; what it yields reaches the request in order."""
_END = object()


class Job:
    """The two ends of a piece of work: `deliver`/`finish` in the worker, the rest in the loop."""

    def __init__(self, work: Work, *, name: str) -> None:
        self.work, self.name = work, name
        self.created = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self._lock = threading.Lock()
        self._generation: BatchedGeneration | None = None
        self._cancelled: str | None = None
        self.done = threading.Event()
        self.on_done: Callable[[], None] | None = None
        """Called once, from whatever thread ends the job."""

    @property
    def cancelled(self) -> str | None:
        """Why nobody waits any more; None while somebody does."""
        return self._cancelled

    def cancel(self, reason: str) -> None:
        """From any thread: stop before the next decoding step."""
        with self._lock:
            if self._cancelled is not None or self.done.is_set():
                return
            self._cancelled = reason
            generation = self._generation
        if generation is not None:
            generation.cancel()

    def follow(self, generation: BatchedGeneration) -> None:
        """Worker: cancel this reply's decoding when the job is cancelled."""
        with self._lock:
            self._generation = generation
            late = self._cancelled is not None
        if late:
            generation.cancel()

    def check(self) -> None:
        """Worker: raises Cancelled when nobody waits."""
        if self._cancelled is not None:
            raise Cancelled

    def deliver(self, item: Any) -> None:
        """Worker: hand something over."""
        self._put(item)

    def finish(self, error: BaseException | None = None) -> None:
        """Worker: no more comes."""
        self.done.set()
        if self.on_done is not None:
            self.on_done()
        self._put(_END if error is None else error)

    def _put(self, item: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:  # the loop is closed: the server has ended
            self._cancelled = self._cancelled or "shutdown"

    async def items(self) -> AsyncIterator[Any]:
        """What the work yields, as it comes; raises what it raised."""
        while True:
            item = await self._items.get()
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    async def result(self) -> Any:
        """The last item of work that yields one."""
        last = None
        async for item in self.items():
            last = item
        return last
