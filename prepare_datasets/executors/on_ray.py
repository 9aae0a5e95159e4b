"""Work on Ray Data: a stream of items through a pool of actors, in order (`pip install .[ray]`).

Items travel as JSON lines in files of the step's folder, which every node must see, as it must see
the recordings. Without an address Ray runs on this machine alone.
"""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import line_of
from prepare_datasets.work import Compute, Item, Outcome

PER_FILE = 64  # items of one file, the piece of work Ray reads and schedules
PER_BATCH = 16


class Worker:
    """An actor: keeps its models between batches, computes with one thread."""

    def __init__(self, compute: Compute) -> None:
        import torch

        torch.set_num_threads(1)
        self._compute = compute

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """{"text": item lines} -> {"text": outcome lines}."""
        return {"text": [self._one(line) for line in batch["text"]]}

    def _one(self, line: str) -> str:
        item = json.loads(line)
        return line_of({"id": item["id"]} | self._compute(item["payload"]).as_json())


def run_ray(
    compute: Compute, items: Iterable[Item], *, workers: int, address: str | None, scratch: Path
) -> Iterator[tuple[Item, Outcome]]:
    """Outcomes in the order of `items`."""
    files = _write(scratch, items)
    try:
        if files:
            yield from zip(_read(files), _outcomes(compute, files, workers, address))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _outcomes(
    compute: Compute, files: list[Path], workers: int, address: str | None
) -> Iterator[Outcome]:
    try:
        import ray
    except ImportError:
        raise PrepareError("--executor ray needs Ray: pip install '.[ray]'") from None
    if not ray.is_initialized():
        place: dict[str, Any] = {"address": address} if address else {"num_cpus": workers + 1}
        ray.init(**place, include_dashboard=False, log_to_driver=False, configure_logging=False)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    lines = ray.data.read_text([str(path.resolve()) for path in files])
    results = lines.map_batches(
        Worker,
        fn_constructor_args=(compute,),
        batch_size=PER_BATCH,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    expected = _read(files)
    for row in results.iter_rows():
        values = json.loads(row["text"])
        item = next(expected)
        if values["id"] != item.id:
            raise RuntimeError(f"Ray gave {values['id']} where {item.id} was due")
        yield Outcome.from_json(values)


def _write(folder: Path, items: Iterable[Item]) -> list[Path]:
    files: list[Path] = []
    waiting: deque[str] = deque()

    def flush() -> None:
        if waiting:
            folder.mkdir(parents=True, exist_ok=True)
            files.append(folder / f"{len(files):06d}.jsonl")
            files[-1].write_text("".join(waiting), encoding="utf-8")
            waiting.clear()

    for item in items:
        waiting.append(json.dumps(vars(item)) + "\n")  # ASCII: Ray has its own idea of lines
        if len(waiting) == PER_FILE:
            flush()
    flush()
    return files


def _read(files: list[Path]) -> Iterator[Item]:
    for path in files:
        with path.open(encoding="utf-8") as file:
            yield from (Item(**json.loads(line)) for line in file)
