"""Stop where the held-out loss no longer falls: `trainer.patience: 5`."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl

from GPT_SoVITS.training.progress import steps_done

log = logging.getLogger(__name__)


class EarlyStop(pl.Callback):
    """Ends the training after `patience` validations without a lower `valid/loss`; resumable."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best, self.waited = math.inf, 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """A run that had stopped stays stopped."""
        trainer.should_stop = trainer.should_stop or self.waited >= self.patience

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """One more validation."""
        loss = float(trainer.callback_metrics["valid/loss"])
        self.waited = 0 if loss < self.best else self.waited + 1
        self.best = min(self.best, loss)
        if self.waited >= self.patience:
            log.info(
                "stopped at step %d: valid/loss %.4g, best %.4g, %d validations without a better",
                steps_done(trainer),
                loss,
                self.best,
                self.waited,
            )
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.best, self.waited = state["best"], state["waited"]
