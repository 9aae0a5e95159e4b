"""One piece of work: made by a request, done by a worker thread, read by the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from GPT_SoVITS.inference.cancel import ReplyCancelled

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
        self.stop = threading.Event()
        """Set when nobody waits: decoding leaves the batch before its next step."""
        self.reason = ""
        """Why nobody waits."""
        self.done = threading.Event()
        self.on_done: Callable[[], None] | None = None
        """Called once, from whatever thread ends the job."""

    def cancel(self, reason: str) -> None:
        """From any thread: stop before the next decoding step."""
        if not self.stop.is_set() and not self.done.is_set():
            self.reason = reason
            self.stop.set()

    def check(self) -> None:
        """Worker: raises ReplyCancelled when nobody waits."""
        if self.stop.is_set():
            raise ReplyCancelled(self.reason)

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
            self.cancel("shutdown")

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
