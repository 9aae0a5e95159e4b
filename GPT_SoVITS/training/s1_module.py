"""Stage 1 as a Lightning module: one loss, AdamW or ScaledAdam, warm-up and cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.loss import semantic_loss
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.training.schedules import warmup_cosine


@dataclass(frozen=True)
class S1OptimizerConfig:
    """AdamW with warm-up and cosine."""

    lr: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    warmup_steps: int = 50
    label_smoothing: float = 0.0


class S1Module(pl.LightningModule):
    """Trains a `SemanticGPT` on batches of columns."""

    def __init__(
        self,
        config: S1Config,
        optimizer: S1OptimizerConfig,
        *,
        mask: str,
        total_steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.model = SemanticGPT(config)
        self.optimizer_config, self.mask = optimizer, mask
        self.total_steps, self.seed = total_steps, seed

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout depends on (seed, step) alone, so that a resumed run draws the same."""
        torch.manual_seed((self.seed << 24) + self.global_step)

    def training_step(self, batch: ColumnBatch, batch_idx: int) -> Tensor:
        """Mean cross-entropy per target of one batch."""
        out = semantic_loss(self.model(batch, mask=self.mask), batch.target, reduction="sum")
        loss = out.loss / out.n_tokens
        padding = 1 - batch.valid.float().mean()
        values = {
            "train/loss": loss.detach(),
            "train/top1": out.top1,
            "train/padding": padding,
            "train/lr": self.optimizers().param_groups[0]["lr"],  # type: ignore[union-attr]
        }
        self.log_dict({k: torch.as_tensor(v).float() for k, v in values.items()}, prog_bar=False)
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def on_validation_epoch_start(self) -> None:
        """Sums start anew."""
        self._sums = torch.zeros(3, dtype=torch.float64)

    def validation_step(self, batch: ColumnBatch, batch_idx: int) -> None:
        """Collects sums; the epoch's means are per token."""
        out = semantic_loss(self.model(batch, mask=self.mask), batch.target, reduction="sum")
        self._sums += torch.stack([out.loss, out.top1 * out.n_tokens, out.n_tokens]).double().cpu()

    def on_validation_epoch_end(self) -> None:
        """Loss in nats per token, share of right codes."""
        loss, top1, n = self._sums.tolist()
        self.log("valid/loss", loss / max(n, 1), prog_bar=True)
        self.log("valid/top1", top1 / max(n, 1))

    def configure_optimizers(self) -> Any:
        """AdamW; no decay on vectors and biases."""
        c = self.optimizer_config
        matrices = [p for p in self.parameters() if p.ndim > 1]
        vectors = [p for p in self.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": c.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=c.lr, betas=c.betas, foreach=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: warmup_cosine(step, warmup=c.warmup_steps, total=self.total_steps),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Our batches move themselves."""
        return batch.to(device)
