"""Batches as a pure function of (seed, step): for any worker count, resumable at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


def epoch_batches(
    lengths: Sequence[int] | np.ndarray, *, budget: int, max_batch: int, seed: int, epoch: int
) -> list[list[int]]:
    """Indices cut into batches whose longest x count stays within `budget` (cost per padded batch).

    Shuffled, sorted by length inside windows of 64 batches' worth so that padding stays small, then
    the batches are shuffled.
    """
    rng = np.random.default_rng([seed, epoch])
    lengths = np.asarray(lengths)
    order = rng.permutation(len(lengths))
    window = 64 * max_batch
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        current: list[int] = []
        for index in part.tolist():
            if current and (
                len(current) == max_batch or (len(current) + 1) * int(lengths[index]) > budget
            ):
                batches.append(current)
                current = []
            current.append(index)
        if current:
            batches.append(current)
    return [batches[i] for i in rng.permutation(len(batches))]


class StepSampler(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) for steps `start` … `steps` - 1.

    `lengths` gives the length of every sample in an epoch (history dropout changes it).
    """

    def __init__(
        self,
        lengths: Callable[[int], np.ndarray],
        *,
        budget: int,
        max_batch: int,
        seed: int,
        steps: int,
        start: int = 0,
    ) -> None:
        self.lengths = lengths
        if not len(lengths(0)):
            raise ValueError("there is nothing to train on: the manifest has no samples")
        self.budget, self.max_batch, self.seed = budget, max_batch, seed
        self.steps, self.start = steps, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = epoch = 0
        while step < self.steps:
            batches = epoch_batches(
                self.lengths(epoch),
                budget=self.budget,
                max_batch=self.max_batch,
                seed=self.seed,
                epoch=epoch,
            )
            for batch in batches:
                if step >= self.steps:
                    return
                if step >= self.start:
                    yield [(epoch, index) for index in batch]
                step += 1
            epoch += 1

    def __len__(self) -> int:
        return self.steps
