"""A voice as a vector that learns: what the reference would have given, one per speaker.

    reference --> reference encoder --> (B, G, 1) --> stage 2
                       the adapter's own vector (G,), started at the speaker's medoid

With it an adapter needs no reference at all: whatever is given, its own vector speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CONDITION = "condition"
"""Its name in an adapter's file."""


class LearnedConditions(nn.Module):
    """One vector per adapter; the active one stands for the reference, None leaves it alone."""

    def __init__(self, starts: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.vectors = nn.ParameterDict({n: nn.Parameter(v.clone()) for n, v in starts.items()})
        self.active: str | None = None

    def forward(self, n: int) -> Tensor | None:
        """(n, G, 1), or None: take the reference."""
        if self.active is None:
            return None
        out: Tensor | None = self.vectors[self.active][None, :, None].expand(n, -1, -1)
        return out


def medoid(vectors: Tensor, *, metric: Literal["euclidean", "cosine"] = "euclidean") -> int:
    """The row of (N, G) with the least sum of distances to all others; the first of equal ones."""
    if metric == "cosine":
        unit = F.normalize(vectors, dim=1)
        distances = 1 - unit @ unit.T
    else:
        distances = torch.cdist(vectors, vectors)
    return int(distances.sum(dim=1).argmin())
