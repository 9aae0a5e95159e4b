"""From logits to the next token: the published sampler, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SamplingOptions:
    """Defaults of the published inference."""

    top_k: int = 15
    """Keep the k likeliest tokens (ties kept); 1 is greedy."""
    top_p: float = 1.0
    """Keep tokens while the sorted probability mass stays at or below this."""
    temperature: float = 1.0
    """Divides the logits."""
    repetition_penalty: float = 1.35
    """On every distinct token already in the reply; 1.0 is off."""
    eos_guard: int = 11
    """Steps at the start that cannot end the reply."""
    max_tokens: int = 1500
    """Longest reply in tokens (25 per second)."""

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k is {self.top_k}; it must be 1 or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be in (0, 1]")
        if self.temperature < 0 or self.repetition_penalty <= 0:
            raise ValueError("temperature must be 0 or more and repetition_penalty above 0")
        if self.eos_guard < 0 or self.max_tokens < 1:
            raise ValueError("eos_guard must be 0 or more and max_tokens 1 or more")


def penalise(logits: Tensor, previous: Tensor, penalty: float) -> Tensor:
    """logits (V,), previous ids (n,) -> logits with every distinct previous id pushed down."""
    if penalty == 1.0 or not len(previous):
        return logits
    ids = previous.unique()
    ids = ids[ids < len(logits)]
    chosen = logits[ids]
    return logits.index_copy(0, ids, torch.where(chosen < 0, chosen * penalty, chosen / penalty))


def probabilities(logits: Tensor, options: SamplingOptions) -> Tensor:
    """Penalised logits (V,) -> probabilities (V,) after top-p, temperature and top-k."""
    if options.top_p < 1:
        ordered, order = logits.sort(descending=True)
        remove = ordered.softmax(-1).cumsum(-1) > options.top_p
        remove[0] = False
        logits = logits.index_fill(0, order[remove], -torch.inf)
    logits = logits / max(options.temperature, 1e-5)
    kth = logits.topk(min(options.top_k, len(logits))).values[-1]
    return logits.masked_fill(logits < kth, -torch.inf).softmax(-1)


@dataclass(frozen=True)
class Sampled:
    """One step's outcome; with ``stop`` the token is not part of the reply."""

    token: int
    stop: bool


def sample(
    logits: Tensor,
    previous: Tensor,
    options: SamplingOptions,
    *,
    step: int,
    generator: torch.Generator | None = None,
) -> Sampled:
    """logits (V,) of the last column, ids so far (n,) -> the token of step ``step``.

    Ends where the likeliest penalised token or the drawn one is EOS. The draw divides the
    probabilities by Exp(1) noise: the same distribution as multinomial.
    """
    eos = len(logits) - 1
    logits = logits.detach().float()
    if step < options.eos_guard:
        logits = logits[:-1]
    logits = penalise(logits, previous, options.repetition_penalty)
    best = int(logits.argmax())
    p = probabilities(logits, options)
    device = p.device if generator is None else generator.device
    noise = torch.empty(p.shape, device=device).exponential_(1, generator=generator)
    token = int((p / noise.to(p.device)).argmax())
    return Sampled(token, eos in (best, token))
