"""Loaders of both stages: batches of a step plan, with a label where a batch is one voice's."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from GPT_SoVITS.training.samplers import StepPlan, StepSampler

Labels = Sequence["str | None"]
"""Per sample: the adapter that learns it; None leaves it out."""


@dataclass(frozen=True)
class Labelled:
    """A batch and the adapter it belongs to."""

    label: str
    batch: Any

    def to(self, device: torch.device | str) -> Labelled:
        """The same batch on another device."""
        return Labelled(self.label, self.batch.to(device))


class LabelledDataset(Dataset[Any]):
    """Items with their labels; (epoch, index) keys as in the dataset below."""

    def __init__(self, dataset: Any, labels: Labels) -> None:
        self.dataset, self.labels = dataset, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, Any]:
        index = key[1] if key[1] >= 0 else -1 - key[1]
        label = self.labels[index]
        assert label is not None, "the sampler leaves out what has no label"
        return label, self.dataset[key]


def step_loader(
    dataset: Any,
    collate: Callable[[list[Any]], Any],
    plan: StepPlan,
    *,
    lengths: Callable[[int], np.ndarray],
    budget: int,
    max_batch: int,
    workers: int,
    labels: Labels | None = None,
) -> DataLoader[Any]:
    """Batches (B, …) for the plan's steps."""
    groups = None if labels is None else group_numbers(labels)
    sampler = StepSampler(lengths, plan, budget=budget, max_batch=max_batch, groups=groups)
    return _loader(dataset, collate, sampler, labels, workers)


def pass_loader(
    dataset: Any, collate: Callable[[list[Any]], Any], *, size: int, labels: Labels | None = None
) -> DataLoader[Any]:
    """Every sample once, in order (by label where there are labels)."""
    groups = np.zeros(len(dataset), dtype=np.int64) if labels is None else group_numbers(labels)
    order = [np.flatnonzero(groups == g).tolist() for g in np.unique(groups) if g >= 0]
    batches = [part[i : i + size] for part in order for i in range(0, len(part), size)]
    keys = [[(0, index) for index in batch] for batch in batches]
    return _loader(dataset, collate, keys, labels, 0)


def _loader(
    dataset: Any, collate: Callable[[list[Any]], Any], batches: Any, labels: Labels | None, n: int
) -> DataLoader[Any]:
    if labels is not None:
        dataset, collate = LabelledDataset(dataset, labels), LabelledCollate(collate)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=n,
        worker_init_fn=_leave_ctrl_c,
    )


def _leave_ctrl_c(worker: int) -> None:
    """It is the training's to hear, which ends its workers when its step is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class LabelledCollate:
    """[(label, item), …] of one label -> Labelled batch."""

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, items: list[tuple[str, Any]]) -> Labelled:
        return Labelled(items[0][0], self.collate([item for _, item in items]))


def group_numbers(labels: Labels) -> np.ndarray:
    """A number (n,) per label, -1 for None."""
    names = sorted({label for label in labels if label is not None})
    number: dict[str | None, int] = {name: i for i, name in enumerate(names)} | {None: -1}
    return np.asarray([number[label] for label in labels], dtype=np.int64)
