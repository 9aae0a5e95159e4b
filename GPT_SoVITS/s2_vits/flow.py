"""Volume-preserving flow: mean-only coupling layers with channel flips (spec: s2 §7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from GPT_SoVITS.nn.wavenet import WaveNet
from GPT_SoVITS.s2_vits.config import S2Config


class Coupling(nn.Module):
    """The second half of the channels is shifted by a function of the first."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        half = config.inter_channels // 2
        self.pre = nn.Conv1d(half, config.hidden_channels, 1)
        self.enc = WaveNet(config.hidden_channels, 5, config.flow_layers, config.gin_channels)
        self.post = nn.Conv1d(config.hidden_channels, half, 1)
        nn.init.zeros_(self.post.weight)
        assert self.post.bias is not None
        nn.init.zeros_(self.post.bias)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor, *, reverse: bool) -> Tensor:
        """(B, inter, T) -> (B, inter, T)."""
        first, second = x.chunk(2, dim=1)
        shift = self.post(self.enc(self.pre(first) * mask, mask, condition)) * mask
        second = (second - shift) * mask if reverse else shift + second * mask
        return torch.cat([first, second], dim=1)


class Flow(nn.Module):
    """Couplings at even places, channel flips (no parameters) at odd ones."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        self.flows = nn.ModuleList(
            part for _ in range(config.n_flows) for part in (Coupling(config), nn.Identity())
        )

    def forward(
        self, x: Tensor, mask: Tensor, condition: Tensor, *, reverse: bool = False
    ) -> Tensor:
        """posterior -> prior space; `reverse` goes back. condition (B, G, 1)."""
        couplings = [self.flows[i] for i in range(0, len(self.flows), 2)]
        if not reverse:
            for coupling in couplings:
                x = coupling(x, mask, condition, reverse=False).flip(1)
            return x
        for coupling in reversed(couplings):
            x = coupling(x.flip(1), mask, condition, reverse=True)
        return x
