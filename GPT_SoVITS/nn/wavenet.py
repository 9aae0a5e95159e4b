"""WaveNet stack with a global condition (spec: s2 §7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from GPT_SoVITS.nn.conv import normed, same_padding


class WaveNet(nn.Module):
    """n gated layers of undilated convolutions with residual and skip paths."""

    def __init__(self, channels: int, kernel: int, n_layers: int, condition: int) -> None:
        super().__init__()
        self.channels, self.n_layers = channels, n_layers
        self.cond_layer = normed(nn.Conv1d(condition, 2 * channels * n_layers, 1))
        self.in_layers = nn.ModuleList(
            normed(nn.Conv1d(channels, 2 * channels, kernel, padding=same_padding(kernel)))
            for _ in range(n_layers)
        )
        self.res_skip_layers = nn.ModuleList(
            normed(nn.Conv1d(channels, channels * (1 if i == n_layers - 1 else 2), 1))
            for i in range(n_layers)
        )

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """x (B, C, T), mask (B, 1, T), condition (B, G, 1) -> (B, C, T)."""
        conditions = self.cond_layer(condition).chunk(self.n_layers, dim=1)
        out = torch.zeros_like(x)
        layers = zip(self.in_layers, self.res_skip_layers, conditions)
        for index, (inner, res_skip, extra) in enumerate(layers):
            filters, gate = (inner(x) + extra).chunk(2, dim=1)
            r = res_skip(filters.tanh() * gate.sigmoid())
            if index == self.n_layers - 1:
                result: Tensor = (out + r) * mask
                return result
            residual, skip = r.chunk(2, dim=1)
            x = (x + residual) * mask
            out = out + skip
        return out * mask
