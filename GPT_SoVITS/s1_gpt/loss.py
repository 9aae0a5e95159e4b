"""Losses of stage 1: cross-entropy over the targets, and the reference-free DPO term."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.dialogue.layout import EOS, IGNORE


@dataclass(frozen=True)
class LossOutput:
    """Loss and accuracies over the columns that have a target."""

    loss: Tensor
    n_tokens: Tensor
    """targets counted, EOS included"""
    top1: Tensor
    """fraction of targets (EOS included) that are the likeliest token"""
    top3: Tensor
    """fraction of targets other than EOS among the three likeliest (the published metric)"""


def smoothed_loss(logits: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """logits (B, N, V), target (B, N) -> cross-entropy, summed; a share `smoothing` of each

    target lies evenly on all V tokens (Szegedy 2016, "Rethinking the Inception architecture").
    """
    flat = logits.float().flatten(0, 1), target.flatten()
    return F.cross_entropy(*flat, ignore_index=IGNORE, reduction="sum", label_smoothing=smoothing)


def semantic_loss(logits: Tensor, target: Tensor, *, reduction: str = "sum") -> LossOutput:
    """logits (B, N, V), target (B, N) -> loss; ``sum``, ``mean`` per token or ``row`` (B,).

    Raises `ValueError`.
    """
    if reduction not in ("sum", "mean", "row"):
        raise ValueError(f"reduction is {reduction!r}; it must be sum, mean or row")
    each = F.cross_entropy(
        logits.float().transpose(1, 2), target, ignore_index=IGNORE, reduction="none"
    )  # (B, N), zero where ignored
    counted = target != IGNORE
    n_tokens = counted.sum()
    loss = each.sum(1) if reduction == "row" else each.sum()
    if reduction == "mean":
        loss = loss / n_tokens.clamp(min=1)
    with torch.no_grad():
        chosen, wanted = logits[counted], target[counted]  # (M, V), (M,)
        best = chosen.topk(min(3, chosen.shape[-1]), dim=-1).indices
        hit = best == wanted[:, None]
        spoken = wanted != EOS
        top1 = hit[:, 0].float().sum() / n_tokens.clamp(min=1)
        top3 = hit[spoken].any(1).float().sum() / spoken.sum().clamp(min=1)
    return LossOutput(loss, n_tokens, top1, top3)


def sequence_log_probability(logits: Tensor, target: Tensor) -> Tensor:
    """Sum of target log-probabilities per row -> (B,)"""
    return -semantic_loss(logits, target, reduction="row").loss


def dpo_loss(
    chosen: Tensor, rejected: Tensor, *, beta: float = 0.2, reduction: str = "mean"
) -> Tensor:
    """Reference-free DPO of row log-probabilities (B,) -> ``mean`` of the rows, or ``row`` (B,)."""
    each = -F.logsigmoid(beta * (chosen - rejected))
    return each if reduction == "row" else each.mean()
