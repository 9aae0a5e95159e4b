"""Stage 1 on true tokens: negative log-likelihood, perplexity, top-k accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.dialogue.layout import IGNORE, Columns
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.model import SemanticGPT

TOP = (1, 3, 10, 20)


@dataclass(frozen=True)
class TokenScore:
    """Of one response or many; EOS is one of the tokens."""

    nll: float
    """nats, summed"""
    n_tokens: int
    hits: tuple[int, ...]
    """tokens among the k likeliest, for k in TOP"""

    @property
    def per_token(self) -> float:
        """nats per token"""
        return self.nll / self.n_tokens

    @property
    def perplexity(self) -> float:
        """exp(nats per token)"""
        return math.exp(self.per_token)

    def accuracy(self, k: int = 1) -> float:
        """Share of tokens among the k likeliest; k is one of TOP."""
        return self.hits[TOP.index(k)] / self.n_tokens

    def __add__(self, other: TokenScore) -> TokenScore:
        hits = tuple(a + b for a, b in zip(self.hits, other.hits))
        return TokenScore(self.nll + other.nll, self.n_tokens + other.n_tokens, hits)


def score_logits(logits: Tensor, target: Tensor) -> list[TokenScore]:
    """logits (B, N, V), target (B, N) -> one score per row, over the columns with a target.

    Raises `ValueError`.
    """
    if logits.shape[:2] != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} differ")
    found = []
    for row, wanted in zip(logits.float(), target):
        counted = wanted != IGNORE
        if not counted.any():
            raise ValueError("a row has no target to score")
        chosen, truth = row[counted], wanted[counted]  # (M, V), (M,)
        nll = F.cross_entropy(chosen, truth, reduction="sum")
        own = chosen.gather(1, truth[:, None])
        first = torch.arange(chosen.shape[1], device=row.device) < truth[:, None]  # ties by id
        rank = ((chosen > own) | ((chosen == own) & first)).sum(1)
        hits = tuple(int((rank < k).sum()) for k in TOP)
        found.append(TokenScore(float(nll), int(counted.sum()), hits))
    return found


@torch.inference_mode()
def score_sequences(
    model: SemanticGPT, sequences: Sequence[Columns], *, mask: str, batch_size: int = 8
) -> list[TokenScore]:
    """Every sequence's score in order; columns without a target are context."""
    model.eval()
    found: list[TokenScore] = []
    for start in range(0, len(sequences), batch_size):
        batch = collate(sequences[start : start + batch_size]).to(model.head.weight.device)
        found += score_logits(model(batch, mask=mask), batch.target)
    return found
