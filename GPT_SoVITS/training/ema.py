"""A running average of the weights, exported in their place: `trainer.ema: 0.999`."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn


class WeightAverage(pl.Callback):
    """average = decay average + (1 - decay) weights, after every step; saved and resumed."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Begins as the weights are, unless it was resumed."""
        if not self.average:
            self.average = {n: p.detach().clone() for n, p in _weights(module)}
        self.average = {n: t.to(module.device) for n, t in self.average.items()}

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any
    ) -> None:
        """One step of the average."""
        for name, weight in _weights(module):
            self.average[name].lerp_(weight, 1 - self.decay)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The average speaks from now on; the last checkpoint holds the weights themselves."""
        self.put_into(module)

    @torch.no_grad()
    def put_into(self, module: pl.LightningModule) -> None:
        """Weights become their average."""
        for name, weight in _weights(module):
            weight.copy_(self.average[name])

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"average": self.average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """From the checkpoint."""
        self.average = dict(state["average"])


def _weights(module: pl.LightningModule) -> list[tuple[str, nn.Parameter]]:
    """What learns and is exported: the model, not its judges."""
    model = module.get_submodule("model")
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]
