"""`--dry-run`: everything is built, one batch is trained, and it says what the run will cost."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
import torch

log = logging.getLogger(__name__)
WARM_UP = 1
MEASURED = 2


class Estimate(pl.Callback):
    """Times the steps after the first and reports at the end."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.marks: list[float] = []

    def on_train_batch_start(self, *rest: Any) -> None:
        """A step begins."""
        self.marks.append(time.perf_counter())

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Memory, time per step and for the whole run."""
        took = (time.perf_counter() - self.marks[WARM_UP]) / (len(self.marks) - WARM_UP)
        learning = sum(p.numel() for p in module.parameters() if p.requires_grad)
        log.info("dry run: %.1f million numbers learn", learning / 1e6)
        log.info("  memory  %.0f MB at the most so far", peak_megabytes(module.device))
        log.info("  step    %.2f s", took)
        log.info("  run     %s for %d steps", spoken(took * self.steps), self.steps)


def peak_megabytes(device: torch.device) -> float:
    """Most memory used: of the GPU where there is one, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def spoken(seconds: float) -> str:
    """90 -> `1 min 30 s`"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
