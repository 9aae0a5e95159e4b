"""Posterior encoder: the target's spectrogram to the latent's distribution (training only)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from GPT_SoVITS.audio.constants import N_SPEC_BINS
from GPT_SoVITS.nn.wavenet import WaveNet
from GPT_SoVITS.s2_vits.config import S2Config


class PosteriorEncoder(nn.Module):
    """spectrogram (B, 1025, T) -> z, mean, log spread, each (B, inter, T)."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        hidden = config.hidden_channels
        self.pre = nn.Conv1d(N_SPEC_BINS, hidden, 1)
        self.enc = WaveNet(hidden, 5, config.posterior_layers, config.gin_channels)
        self.proj = nn.Conv1d(hidden, 2 * config.inter_channels, 1)

    def forward(
        self, spectrogram: Tensor, mask: Tensor, condition: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """condition (B, G, 1) is detached; `noise` (B, inter, T) defaults to fresh normal draws."""
        x = self.enc(self.pre(spectrogram) * mask, mask, condition.detach())
        mean, log_spread = (self.proj(x) * mask).chunk(2, dim=1)
        noise = torch.randn_like(mean) if noise is None else noise
        return (mean + noise * log_spread.exp()) * mask, mean, log_spread
