"""`--find-lr`: a short run whose rate grows from tiny to far too large; says where loss was lowest.

loss  ----.                    .        rate x 1.1 … per step
           `-.              .'
              `--.____.--'
                  ^    ^ lowest
                  | a tenth of it: the suggestion (Smith 2015, "cyclical learning rates")
"""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl

log = logging.getLogger(__name__)
STEPS = 100
LOWEST, HIGHEST = 1e-6, 1.0
SMOOTH = 0.8
"""Share of the running mean that a new loss leaves as it was."""
TOO_FAR = 2.0
"""Times the lowest loss at which the run ends."""


class FindLr(pl.Callback):
    """Sets the rate of every optimiser step and reads the loss; nothing is written."""

    batches = STEPS

    def __init__(self, lr: float) -> None:
        self.lr = lr
        """The config's rate; groups keep their ratios to it."""
        self.curve: list[tuple[float, float]] = []
        """(rate, smoothed loss) of each step"""
        self._mean = 0.0

    @property
    def rate(self) -> float:
        """Of the step at hand."""
        return float(LOWEST * (HIGHEST / LOWEST) ** (len(self.curve) / (STEPS - 1)))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any
    ) -> None:
        """The schedule has set its rates by now; these take their place."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate * group.get("ratio", group.get("initial_lr", self.lr) / self.lr)

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """One point of the curve; past the wall there is nothing to learn."""
        loss = float(trainer.callback_metrics["train/loss"])
        self._mean = SMOOTH * self._mean + (1 - SMOOTH) * loss
        self.curve.append((self.rate, self._mean / (1 - SMOOTH ** (len(self.curve) + 1))))
        last, lowest = self.curve[-1][1], min(value for _, value in self.curve)
        if not last < TOO_FAR * abs(lowest):
            trainer.should_stop = True

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The curve in ten lines, and the suggestion."""
        for rate, value in self.curve[:: max(1, len(self.curve) // 10)]:
            log.info("  rate %.1e  loss %.4g", rate, value)
        log.info("suggestion: --optimizer.lr %.1e", suggestion(self.curve))


def suggestion(curve: list[tuple[float, float]]) -> float:
    """A tenth of the rate at which the smoothed loss was lowest."""
    finite = [(value, rate) for rate, value in curve if value == value]
    return min(finite)[1] / 10
