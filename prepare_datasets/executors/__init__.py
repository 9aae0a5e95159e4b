"""Where the work of a step runs: here, in local processes, on a Ray cluster; results come in the
order asked and do not depend on where they were computed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prepare_datasets.executors.local import run_local
from prepare_datasets.work import Compute, Item, Outcome

__all__ = ["Executor", "run_items"]


@dataclass(frozen=True)
class Executor:
    """Kind and size of the place the work runs."""

    kind: Literal["local", "ray"] = "local"
    workers: int = 1
    ray_address: str | None = None


def run_items(
    compute: Compute, items: Iterable[Item], executor: Executor, *, scratch: Path
) -> Iterator[tuple[Item, Outcome]]:
    """Each item with its outcome, in order.

    `scratch` is a folder that every worker can read and that holds nothing else.
    """
    shutil.rmtree(scratch, ignore_errors=True)  # of a killed run
    if executor.kind == "local":
        return run_local(compute, items, workers=executor.workers)
    from prepare_datasets.executors.on_ray import run_ray

    return run_ray(
        compute, items, workers=executor.workers, address=executor.ray_address, scratch=scratch
    )
