"""Work in this process or in a pool of processes on this machine; same results either way."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_local(
    compute: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 1
) -> Iterator[Result]:
    """Results of `compute` (a module-level callable) in the order of `items`.

    Each process computes with one thread: the numbers do not depend on how many there are.
    """
    if workers <= 1:
        yield from map(compute, items)
        return
    # spawn: a forked child inherits locks of torch's threads and can hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_one_thread) as pool:
        yield from pool.imap(compute, items, chunksize=1)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
