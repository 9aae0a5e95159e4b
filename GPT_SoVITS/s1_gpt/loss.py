"""Cross-entropy over target columns with accuracy, and reference-free DPO (spec: s1 §5.4, §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.dialogue.layout import IGNORE


@dataclass(frozen=True)
class LossOutput:
    """`loss` (scalar, nats), target count, and correct counts among targets (EOS included)."""

    loss: Tensor
    n_tokens: Tensor
    top1: Tensor
    top3: Tensor

    @property
    def top1_accuracy(self) -> float:
        """Share of targets whose id has the largest logit."""
        return float(self.top1 / self.n_tokens.clamp(min=1))

    @property
    def top3_accuracy(self) -> float:
        """Share of targets whose id is among the three largest logits."""
        return float(self.top3 / self.n_tokens.clamp(min=1))


def semantic_loss(
    logits: Tensor, target: Tensor, *, reduction: str = "mean", label_smoothing: float = 0.0
) -> LossOutput:
    """logits (B, N, V), target (B, N) with IGNORE where nothing is predicted.

    reduction: `mean` per target, or `sum` (the published rule). Computed in fp32.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction is {reduction!r}; use mean or sum")
    at = target != IGNORE
    picked, wanted = logits[at].float(), target[at]  # (M, V), (M,)
    total = F.cross_entropy(picked, wanted, reduction="sum", label_smoothing=label_smoothing)
    n = at.sum()
    with torch.no_grad():
        best = picked.topk(min(3, picked.shape[-1]), dim=-1).indices  # (M, 3)
        hit = best == wanted[:, None]
    loss = total if reduction == "sum" else total / n.clamp(min=1)
    return LossOutput(loss=loss, n_tokens=n, top1=hit[:, :1].sum(), top3=hit.sum())


def sequence_log_probability(logits: Tensor, target: Tensor) -> Tensor:
    """Sum of target log-probabilities per row: (B, N, V), (B, N) -> (B,)."""
    at = target != IGNORE
    log_p = logits.float().log_softmax(dim=-1)
    picked = log_p.gather(-1, target.clamp(min=0)[..., None])[..., 0]
    return (picked * at).sum(dim=-1)


def dpo_loss(chosen: Tensor, rejected: Tensor, *, beta: float = 0.2) -> Tensor:
    """Reference-free DPO of log-probabilities (B,): mean of -log sigmoid(beta (chosen - rejected))."""
    return -F.logsigmoid(beta * (chosen - rejected)).mean()
