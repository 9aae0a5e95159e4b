"""Stage 1 as a Lightning module: one loss, AdamW or ScaledAdam, warm-up and cosine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import EOS, IGNORE
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.loss import (
    LossOutput,
    dpo_loss,
    semantic_loss,
    sequence_log_probability,
    smoothed_loss,
)
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.preference import rejected_batch
from GPT_SoVITS.s1_gpt.published_loss import RULES, literal_loss, older_rule
from GPT_SoVITS.training.accumulate import add_gradients, parts_of
from GPT_SoVITS.training.param_groups import adamw_kernel, rate_groups
from GPT_SoVITS.training.ranks import total, world_size
from GPT_SoVITS.training.scaled_adam import ScaledAdam
from GPT_SoVITS.training.schedules import warmup_cosine
from GPT_SoVITS.training.stage_module import StageModule


@dataclass(frozen=True)
class S1OptimizerConfig:
    """The rule of a step and the loss it lowers."""

    name: Literal["adamw", "scaled_adam"] = "adamw"
    """adamw: warm-up and cosine. scaled_adam: the published one, a constant rate."""
    lr: float = 1e-3
    """Highest rate."""
    first_lr: float = 0.0
    """scaled_adam: rate of the very first step (published: 0.01); 0 is `lr`."""
    weight_decay: float = 0.01
    """adamw only"""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of the first and second moment."""
    warmup_steps: int = 50
    """adamw only"""
    lr_ratios: dict[str, float] = field(default_factory=dict)
    """Rates relative to `lr` by the beginning of parameter names, e.g. {embedding.role: 5}."""
    loss_rule: Literal["newer", "older", "literal"] = "newer"
    """newer: text predicts the first code. older: it does not (rule of the base weights' time).
    literal: newer with upstream's padding bug, for single utterances."""
    reduction: Literal["mean", "sum"] = "mean"
    """Over the targets of a batch; published training sums."""
    label_smoothing: float = 0.0
    """Share of every target that lies evenly on all tokens; 0, as published, is off."""
    dpo: bool = False
    """Add the preference of the recorded codes over stumbling ones (published: on request)."""

    def __post_init__(self) -> None:
        if self.loss_rule not in RULES:
            raise ValueError(
                f"optimizer.loss_rule is {self.loss_rule!r}; it must be one of {RULES}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"optimizer.label_smoothing is {self.label_smoothing}; use a share in [0, 1)"
            )
        if self.label_smoothing and self.loss_rule == "literal":
            raise ValueError("optimizer.label_smoothing: loss_rule literal has none; use newer")
        if self.lr <= 0 or self.first_lr < 0:
            raise ValueError("optimizer.lr must be above 0 and first_lr 0 or more")


class S1Module(StageModule):
    """Trains a `SemanticGPT` on batches of columns."""

    def __init__(
        self,
        config: S1Config,
        optimizer: S1OptimizerConfig,
        *,
        mask: str,
        total_steps: int,
        seed: int,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.model = SemanticGPT(config)
        self.optimizer_config, self.mask = optimizer, mask
        self.total_steps, self.seed, self.accumulate = total_steps, seed, accumulate

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout depends on (seed, step) alone, so that a resumed run draws the same."""
        torch.manual_seed((self.global_rank << 48) + (self.seed << 24) + self.global_step)

    def losses(self, batch: ColumnBatch) -> Iterator[tuple[Tensor, LossOutput]]:
        """Of every part of a batch: what a step lowers, (), and the plain cross-entropy, summed.

        The config's rules say what is lowered. The parts' losses add up to the batch's.
        """
        c = self.optimizer_config
        if c.loss_rule == "older":
            batch = older_rule(batch)
        # Ranks average their gradients: sums are scaled so that the average is the whole batch's.
        scale = torch.tensor(float(world_size()), device=batch.ids.device)
        rows = total((batch.target != IGNORE).any(1).sum()).clamp(min=1)
        if c.reduction == "mean":
            n_tokens = total((batch.target != IGNORE).sum()).clamp(min=1)
        else:
            n_tokens = torch.ones_like(rows)
        rejected = self._rejected(batch) if c.dpo else None
        for part, worse in parts_of((batch, rejected), batch.shape[0], self.accumulate):
            predicted = self.predictions(part)
            out = semantic_loss(*predicted, reduction="sum")
            loss = literal_loss(self.model, part) if c.loss_rule == "literal" else out.loss
            if c.label_smoothing:
                loss = smoothed_loss(*predicted, c.label_smoothing)
            loss = loss * scale / n_tokens
            if worse is not None:
                loss = loss + self._preference(part, worse) * scale / rows
            yield loss, out

    def loss(self, batch: ColumnBatch) -> tuple[Tensor, LossOutput]:
        """Those of a batch in one part, the loss ()."""
        (found,) = self.losses(batch)
        return found

    def _rejected(self, batch: ColumnBatch) -> ColumnBatch:
        """Stumbling responses, drawn from (seed, step, row), on whatever rank."""
        rows = range(self.global_rank, batch.shape[0] * world_size(), world_size())
        base = (self.seed << 24) + self.global_step
        draws = [torch.Generator().manual_seed((row << 48) + base) for row in rows]
        return rejected_batch(batch, draws)

    def _preference(self, batch: ColumnBatch, rejected: ColumnBatch) -> Tensor:
        """The DPO term, summed over the rows that are learnt from."""
        better, worse = (
            sequence_log_probability(self.model(b, mask=self.mask), b.target)
            for b in (batch, rejected)
        )
        learnt = (batch.target != IGNORE).any(1)
        return (dpo_loss(better, worse, reduction="row") * learnt).sum()

    def predictions(self, batch: ColumnBatch) -> tuple[Tensor, Tensor]:
        """Logits (1, M, V) and targets (1, M) of the columns that have one.

        Most columns are history: the head and the softmax, wide as the vocabulary, skip them.
        """
        wanted = batch.target != IGNORE
        only = self.model.head.register_forward_pre_hook(lambda head, x: (x[0][wanted],))
        try:
            logits = self.model(batch, mask=self.mask)  # (M, V)
        finally:
            only.remove()
        return logits[None], batch.target[wanted][None]

    def probe(self, batch: ColumnBatch) -> Tensor:
        """What a batch is answered with, as numbers to compare: log-probabilities (1, M, V)."""
        return self.predictions(batch)[0].log_softmax(-1)

    def training_step(self, batch: ColumnBatch, batch_idx: int) -> Tensor:
        """The loss () of the batch's last part, once the others have left their gradients."""
        if self.accumulate > 1:
            self.zero_grad()
        loss: Tensor | None = None
        sums = torch.zeros(3, device=self.device)
        for loss_of_part, out in self.losses(batch):
            if loss is not None:
                add_gradients(self, loss)
            loss = loss_of_part
            sums += torch.stack([out.loss.detach(), out.n_tokens, out.top1 * out.n_tokens])
        assert loss is not None
        nats, n_tokens, right = total(sums)
        n_tokens = n_tokens.clamp(min=1)
        per_token = nats / n_tokens
        padding = 1 - total(batch.valid.sum()) / total(
            torch.tensor(batch.valid.numel(), device=self.device)
        )
        values = {
            "train/loss": per_token,
            "train/top1": right / n_tokens,
            "train/padding": padding,
            "train/lr": self.optimizers().param_groups[0]["lr"],  # type: ignore[union-attr]
        }
        self.log_dict({k: torch.as_tensor(v).float() for k, v in values.items()}, prog_bar=False)
        self.log("loss", per_token, prog_bar=True, logger=False)
        self.log("padding", padding, prog_bar=True, logger=False)
        return loss

    def optimizer_zero_grad(self, *arguments: Any) -> None:
        """Lightning calls it between the parts' gradients and the last one's."""
        if self.accumulate == 1:
            super().optimizer_zero_grad(*arguments)

    def on_validation_epoch_start(self) -> None:
        """Sums start anew."""
        self._sums = torch.zeros(5, dtype=torch.float64)

    def validation_step(self, batch: ColumnBatch, batch_idx: int) -> None:
        """Collects sums; the epoch's means are per token."""
        out = semantic_loss(*self.predictions(batch), reduction="sum")
        spoken = ((batch.target != IGNORE) & (batch.target != EOS)).sum()
        sums = [out.loss, out.top1 * out.n_tokens, out.n_tokens, out.top3 * spoken, spoken]
        self._sums += torch.stack(sums).double().cpu()

    def on_validation_epoch_end(self) -> None:
        """Loss in nats per token, share of right codes, and of codes among the three likeliest."""
        loss, top1, n, top3, spoken = self._sums.tolist()
        self.log("valid/loss", loss / max(n, 1), prog_bar=True)
        self.log("valid/top1", top1 / max(n, 1))
        self.log("valid/top3", top3 / max(spoken, 1))

    def configure_optimizers(self) -> Any:
        """AdamW (no decay on vectors and biases) or ScaledAdam, with their schedules."""
        c = self.optimizer_config
        named = [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]
        if c.name == "scaled_adam":
            optimizer: torch.optim.Optimizer = ScaledAdam(
                rate_groups(named, c.lr, c.lr_ratios), lr=c.lr, betas=c.betas
            )
        else:
            groups = rate_groups(named, c.lr, c.lr_ratios, decay=c.weight_decay)
            optimizer = torch.optim.AdamW(groups, lr=c.lr, betas=c.betas, **adamw_kernel(self))
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int) -> float:
        """The schedule's factor of `lr`."""
        c = self.optimizer_config
        if c.name == "scaled_adam":
            return c.first_lr / c.lr if c.first_lr and step == 0 else 1.0
        return warmup_cosine(step, warmup=c.warmup_steps, total=self.total_steps)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """By the norm of all gradients.

        Lightning refuses to clip before a fused step in mixed precision, though bf16 has no scale
        that such a step could undo.
        """
        if gradient_clip_val:
            learning = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(learning, gradient_clip_val)
