"""Work in this process or in a pool of processes on this machine; same results either way."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from prepare_datasets.work import Compute, Item, Outcome

WAITING_PER_WORKER = 8  # items handed out ahead of the oldest unfinished one: bounds memory


def run_local(
    compute: Compute, items: Iterable[Item], *, workers: int = 1
) -> Iterator[tuple[Item, Outcome]]:
    """Outcomes in the order of `items`; every process computes with one thread, so the numbers do
    not depend on how many there are.
    """
    if workers <= 1:
        yield from ((item, compute(item.payload)) for item in items)
        return
    # spawn: a forked child inherits locks of torch's threads and can hang.
    context = multiprocessing.get_context("spawn")
    waiting: deque[tuple[Item, Future[Outcome]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(compute, item.payload)))
                if len(waiting) >= workers * WAITING_PER_WORKER:
                    yield _oldest(waiting)
            while waiting:
                yield _oldest(waiting)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _oldest(waiting: deque[tuple[Item, Future[Outcome]]]) -> tuple[Item, Outcome]:
    item, future = waiting.popleft()
    try:
        return item, future.result()
    except BrokenProcessPool:
        raise OSError(f"a worker process died at or before {item.id} (out of memory?)") from None


def start_worker() -> None:
    """One thread per process; a worker ends when the process that started it is gone."""
    import torch

    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
