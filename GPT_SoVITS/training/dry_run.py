"""`--dry-run`: everything is built, a few batches train, and it says what the run will cost."""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch

log = logging.getLogger(__name__)
WARM_UP = 1
MEASURED = 2
FILL = 0.8
"""Share of the memory that a suggested batch may take."""


@dataclass(frozen=True)
class Budget:
    """The config key that bounds a batch, and its value."""

    key: str
    value: int


class Estimate(pl.Callback):
    """Times the steps after the first and reports at the end."""

    batches = WARM_UP + MEASURED

    def __init__(self, steps: int, budget: Budget) -> None:
        self.steps, self.budget = steps, budget
        self.marks: list[float] = []
        self.before = 0.0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """What stands in memory before the first batch."""
        self.before = peak_megabytes(module.device)

    def on_train_batch_start(self, *rest: Any) -> None:
        """A step begins."""
        self.marks.append(time.perf_counter())

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Memory, time per step and for the whole run, and a batch that would fill the memory."""
        took = (time.perf_counter() - self.marks[WARM_UP]) / (len(self.marks) - WARM_UP)
        learning = sum(p.numel() for p in module.parameters() if p.requires_grad)
        peak, whole = peak_megabytes(module.device), memory_megabytes(module.device)
        log.info("dry run: %.1f million numbers learn", learning / 1e6)
        log.info("  memory  %.0f MB of %.0f MB at the most so far", peak, whole)
        log.info("  step    %.2f s", took)
        log.info("  run     %s for %d steps", spoken(took * self.steps), self.steps)
        state = self.before + 3 * 4 * learning / 2**20  # gradients, two moments: whatever the batch
        largest = suggested(self.budget.value, state=state, peak=peak, whole=whole)
        log.info("  batch   --%s %d would fill %.0f %%", self.budget.key, largest, 100 * FILL)


def suggested(budget: int, *, state: float, peak: float, whole: float) -> int:
    """A batch budget that fills `FILL` of `whole` MB: activations grow as the batch does.

    At the least one like the one that was tried, rounded down to two digits.
    """
    per_unit = max(peak - state, 0.01 * peak) / budget
    largest = max(budget, int((FILL * whole - state) / per_unit))
    scale = 10 ** max(0, len(str(largest)) - 2)
    return int(max(budget, largest // scale * scale))


def peak_megabytes(device: torch.device) -> float:
    """Most memory used: of the GPU where there is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def memory_megabytes(device: torch.device) -> float:
    """All there is: of the GPU where there is one, else of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory / 2**20
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**20


def spoken(seconds: float) -> str:
    """90 -> `1 min 30 s`"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
