"""Batches as a pure function of (seed, step): for any worker and rank count, resumable anywhere.

step        0          1              the same whatever the number of ranks
batch   a b c d e    f g h
rank 0  a   c   e    f   h            every rank takes each world-th row
rank 1    b   d        g
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

Key = tuple[int, int]


@dataclass(frozen=True)
class StepPlan:
    """Which steps this process reads: `start` … `steps` - 1, its slice of every batch."""

    seed: int
    steps: int
    start: int = 0
    rank: int = 0
    world: int = 1
    overfit: int = 0
    """The first so many batches of the first epoch, over and over; 0: the whole corpus."""


def epoch_batches(
    lengths: Sequence[int] | np.ndarray,
    *,
    budget: int,
    max_batch: int,
    seed: int,
    epoch: int,
    groups: np.ndarray | None = None,
) -> list[list[int]]:
    """Indices cut into batches whose longest x count stays within `budget` (cost per padded batch).

    Shuffled, sorted by length inside windows of 64 batches' worth so that padding stays small, then
    the batches are shuffled. With `groups` (n,) a batch holds one group; group -1 is left out.
    """
    rng = np.random.default_rng([seed, epoch])
    lengths = np.asarray(lengths)
    order = rng.permutation(len(lengths))
    parts = [order] if groups is None else [order[groups[order] == g] for g in _present(groups)]
    window = 64 * max_batch
    batches: list[list[int]] = []
    for part in parts:
        for start in range(0, len(part), window):
            near = part[start : start + window]
            near = near[np.argsort(lengths[near], kind="stable")]
            batches += _cut(near.tolist(), lengths, budget=budget, max_batch=max_batch)
    return [batches[i] for i in rng.permutation(len(batches))]


def _present(groups: np.ndarray) -> list[int]:
    return [int(g) for g in np.unique(groups) if g >= 0]


def _cut(
    indices: list[int], lengths: np.ndarray, *, budget: int, max_batch: int
) -> Iterator[list[int]]:
    """Runs of indices, shortest first, each within the budget."""
    current: list[int] = []
    for index in indices:
        full = len(current) == max_batch or (len(current) + 1) * int(lengths[index]) > budget
        if current and full:
            yield current
            current = []
        current.append(index)
    if current:
        yield current


class StepSampler(Sampler[list[Key]]):
    """Batches of (epoch, index). A rank for which a batch has no row gets (epoch, -1 - index):

    a row to be read but not learnt from. `lengths` gives the length of every sample in an epoch
    (history dropout changes it).
    """

    def __init__(
        self,
        lengths: Callable[[int], np.ndarray],
        plan: StepPlan,
        *,
        budget: int,
        max_batch: int,
        groups: np.ndarray | None = None,
    ) -> None:
        self.lengths, self.plan, self.groups = lengths, plan, groups
        if not len(lengths(0)) or (groups is not None and not _present(groups)):
            raise ValueError("there is nothing to train on: the manifest has no samples")
        self.budget, self.max_batch = budget, max_batch

    def __iter__(self) -> Iterator[list[Key]]:
        plan, step, turn = self.plan, 0, 0
        while step < plan.steps:
            epoch = 0 if plan.overfit else turn
            batches = epoch_batches(
                self.lengths(epoch),
                budget=self.budget,
                max_batch=self.max_batch,
                seed=plan.seed,
                epoch=epoch,
                groups=self.groups,
            )
            batches = batches[: plan.overfit or len(batches)]
            for batch in batches[: plan.steps - step]:
                if step >= plan.start:
                    own = batch[plan.rank :: plan.world] or [-1 - batch[0]]
                    yield [(epoch, index) for index in own]
                step += 1
            turn += 1

    def __len__(self) -> int:
        return self.plan.steps
