"""One process, two processes and Ray: the same bytes."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from prepare_datasets.executors import Executor, run_items
from prepare_datasets.work import Item, Outcome
from tests.prepare_datasets.runs import prepare, tree
from tests.prepare_datasets.sounds import write_corpus

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"
)


def threads_and_double(payload: int) -> Outcome:
    """For workers: what they compute, and with how many threads."""
    import torch

    return Outcome(({"id": str(payload), "twice": 2 * payload, "n": torch.get_num_threads()},))


def die(payload: int) -> Outcome:
    """A worker that is killed."""
    os._exit(9)


@pytest.mark.slow
def test_workers_keep_the_order_and_compute_with_one_thread(tmp_path: Path):
    items = [Item(str(n), n, "") for n in range(40)]
    rows = list(run_items(threads_and_double, items, Executor(workers=2), scratch=tmp_path / "s"))
    assert [item.id for item, _ in rows] == [str(n) for n in range(40)]
    assert all(out.records[0]["twice"] == 2 * item.payload for item, out in rows)
    assert all(out.records[0]["n"] == 1 for _, out in rows)


@pytest.mark.slow
def test_only_a_few_items_are_taken_ahead(tmp_path: Path):
    taken = []

    def stream():
        for n in range(10_000):
            taken.append(n)
            yield Item(str(n), n, "")

    results = run_items(
        threads_and_double, stream(), Executor(workers=2), scratch=tmp_path / "scratch"
    )
    next(results)
    assert len(taken) <= 16
    results.close()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_worker_that_dies_stops_the_run(tmp_path: Path):
    with pytest.raises(OSError, match="worker process died"):
        list(run_items(die, [Item("a", 1, "")], Executor(workers=2), scratch=tmp_path / "s"))


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    assert prepare(raw, tmp_path / "one") == 0
    assert prepare(raw, tmp_path / "two", "--workers", "2") == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


@needs_ray
@pytest.mark.slow
def test_ray_writes_the_same_bytes_as_one_process(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    assert prepare(raw, tmp_path / "one") == 0
    assert prepare(raw, tmp_path / "ray", "--executor", "ray", "--workers", "2") == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "ray")
