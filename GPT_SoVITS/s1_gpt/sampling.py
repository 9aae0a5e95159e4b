"""From logits to the next code: guard, repetition penalty, top-p, temperature, top-k (spec: s1 §6.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingOptions:
    """How one code is drawn; the defaults are the published ones."""

    top_k: int = 15
    """Codes kept, the largest first; 1 is greedy."""
    top_p: float = 1.0
    """Probability mass kept (1 keeps all)."""
    temperature: float = 1.0
    repetition_penalty: float = 1.35
    """Above 1 makes codes already used less likely."""
    eos_guard: int = 11
    """Steps at the start in which the end of speech is impossible."""
    max_tokens: int = 1500
    """Hard limit (25 tokens are one second)."""

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}; use 1 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; use a value in (0, 1]")
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"temperature is {self.temperature}; use a value in [0, 10]")
        if not 0 < self.repetition_penalty <= 10:
            raise ValueError(f"repetition_penalty is {self.repetition_penalty}; use (0, 10]")
        if self.eos_guard < 0 or self.max_tokens < 1:
            raise ValueError("eos_guard must be 0 or more and max_tokens 1 or more")


def penalised(logits: Tensor, used: Tensor, options: SamplingOptions, *, step: int) -> Tensor:
    """logits (B, V), used (B, V) bool -> (B, V): EOS impossible during the guard, penalty applied."""
    if options.repetition_penalty != 1.0:
        softer = torch.where(
            logits < 0, logits * options.repetition_penalty, logits / options.repetition_penalty
        )
        logits = torch.where(used, softer, logits)
    if step < options.eos_guard:
        logits = logits.clone()
        logits[:, -1] = float("-inf")
    return logits


def probabilities(logits: Tensor, options: SamplingOptions) -> Tensor:
    """Penalised logits (B, V) -> probabilities after top-p, temperature and top-k.

    The code that crosses the top-p threshold is removed and the first always stays; ties at the
    k-th value stay.
    """
    if options.top_p < 1:
        ordered, index = logits.sort(dim=-1, descending=True)
        remove = ordered.softmax(dim=-1).cumsum(dim=-1) > options.top_p
        remove[:, 0] = False
        logits = logits.masked_fill(remove.scatter(-1, index, remove), float("-inf"))
    logits = logits / max(options.temperature, 1e-5)
    k = min(options.top_k, logits.shape[-1])
    smallest = logits.topk(k, dim=-1).values[:, -1:]
    return logits.masked_fill(logits < smallest, float("-inf")).softmax(dim=-1)


def draw(p: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One id per row of p (B, V): argmax of p / q with q ~ Exp(1)."""
    q = torch.empty_like(p).exponential_(1.0, generator=generator)
    return (p / q).argmax(dim=-1)
