"""Enrichment: the style vectors of the history turns, pooled by attention; zero until trained."""

from __future__ import annotations

import math

from torch import Tensor, nn

from GPT_SoVITS.s2_vits.config import S2Config

N_ROLES = 3
MAX_DISTANCE = 8


class StyleHistory(nn.Module):
    """The response's own condition queries the history's (with role and turn distance)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        width, inner = config.gin_channels, config.reference_hidden
        self.role = nn.Embedding(N_ROLES, width)
        self.distance = nn.Embedding(MAX_DISTANCE + 1, width)
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.output = nn.Linear(inner, width)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(
        self, condition: Tensor, styles: Tensor, role: Tensor, distance: Tensor, valid: Tensor
    ) -> Tensor:
        """condition (B, G, 1), styles (B, K, G), role, distance, valid (B, K) -> (B, G, 1)."""
        if styles.shape[1] == 0:
            return condition
        memory = styles + self.role(role) + self.distance(distance.clamp(0, MAX_DISTANCE))
        q, k, v = self.query(condition[..., 0]), self.key(memory), self.value(memory)
        scores = (k @ q[..., None])[..., 0] / math.sqrt(q.shape[-1])  # (B, K)
        p = scores.masked_fill(~valid, -1e4).softmax(dim=-1)
        pooled = (p[:, None] @ v)[:, 0] * valid.any(dim=1, keepdim=True)
        out: Tensor = condition + self.output(pooled)[..., None] * valid.any(dim=1)[:, None, None]
        return out
