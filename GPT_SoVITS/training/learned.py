"""Did a fine-tuning learn? The output on one held-out batch before and after, and the loss.

A loss that falls while the output stays put is a frequent complaint of fine-tuning tools: the
weights that were trained are not the ones that speak.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from GPT_SoVITS.training.progress import steps_done

log = logging.getLogger(__name__)
MOVED = 1e-3
"""Relative change of the output from which on it counts as moved."""


class DidItLearn(pl.Callback):
    """Compares `module.probe` of the first held-out batch; writes `learned.json`."""

    def __init__(self, path: Path, batches: Any) -> None:
        self.path, self.batches = path, batches
        self.before: Tensor | None = None
        self.losses: list[float] = []
        self.since = 0

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The output as it was."""
        self.before = probed(module, self.batches)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The step this run goes on from."""
        self.since = steps_done(trainer)

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """The loss's way."""
        self.losses.append(float(trainer.callback_metrics["train/loss"]))

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Say it."""
        after = probed(module, self.batches)
        if self.before is None or after is None or not self.losses:
            return
        change = float((after - self.before).norm() / self.before.norm().clamp(min=1e-12))
        report = {
            "since_step": self.since,
            "steps": len(self.losses),
            "loss_first": _mean(self.losses[: max(1, len(self.losses) // 10)]),
            "loss_last": _mean(self.losses[-max(1, len(self.losses) // 10) :]),
            "output_change": change,
            "moved": change > MOVED,
        }
        if trainer.is_global_zero:
            self.path.write_text(json.dumps(report, indent=1), encoding="utf-8")
        log.info(
            "did it learn? loss %.4g -> %.4g, held-out output changed by %.2g of its size",
            report["loss_first"],
            report["loss_last"],
            change,
        )
        if report["loss_last"] < report["loss_first"] and not report["moved"]:
            log.warning(
                "the loss fell but the output did not move: what was trained is not what speaks; "
                "check lora.targets, optimizer.lr and the adapter's name"
            )


@torch.no_grad()
def probed(module: pl.LightningModule, batches: Any) -> Tensor | None:
    """`module.probe` (N,) of the first held-out batch, in eval mode; None where there is none."""
    batch = next(iter(batches), None)
    if batch is None:
        return None
    training = module.training
    module.eval()
    output: Tensor = module.probe(batch.to(module.device)).float().cpu()  # type: ignore[operator]
    module.train(training)
    return output


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
