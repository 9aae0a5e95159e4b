"""Reference encoder: a spectrogram to one style vector (spec: s2 §5)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.s2_vits.config import S2Config

N_HEADS = 2


class GatedConv(nn.Module):
    """x + dropout(a * sigmoid(b)), a and b from one convolution over time."""

    def __init__(self, channels: int, p_dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.ModuleDict({"conv": nn.Conv1d(channels, 2 * channels, 5, padding=2)})
        self.dropout = nn.Dropout(p_dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        out: Tensor = x + self.dropout(F.glu(self.conv1["conv"](x), dim=1))
        return out


class StyleAttention(nn.Module):
    """Self-attention over frames; scores are divided by the root of the model width."""

    def __init__(self, width: int, p_dropout: float) -> None:
        super().__init__()
        self.w_qs, self.w_ks, self.w_vs, self.fc = (nn.Linear(width, width) for _ in range(4))
        self.dropout = nn.Dropout(p_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, T, C), mask (B, T) True = frame -> (B, T, C)."""
        b, t, c = x.shape
        q, k, v = (
            layer(x).view(b, t, N_HEADS, -1).transpose(1, 2)
            for layer in (self.w_qs, self.w_ks, self.w_vs)
        )
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(c)
        p = scores.masked_fill(~mask[:, None, None], float("-inf")).softmax(dim=-1)
        y = (self.dropout(p) @ v).transpose(1, 2).reshape(b, t, c)
        out: Tensor = self.dropout(self.fc(y)) + x
        return out


class ReferenceEncoder(nn.Module):
    """Mean over frames of an attention network on the lowest bins."""

    def __init__(self, config: S2Config) -> None:
        super().__init__()
        hidden, p = config.reference_hidden, 0.1
        self.bins = config.reference_bins
        self.spectral = nn.ModuleDict(
            {"0": _Linear(self.bins, hidden), "3": _Linear(hidden, hidden)}
        )
        self.temporal = nn.Sequential(GatedConv(hidden, p), GatedConv(hidden, p))
        self.slf_attn = StyleAttention(hidden, p)
        self.fc = _Linear(hidden, config.gin_channels)
        self.dropout = nn.Dropout(p)

    def forward(self, spectrogram: Tensor, mask: Tensor) -> Tensor:
        """spectrogram (B, 1025, T), mask (B, 1, T) -> (B, G, 1)."""
        x = (spectrogram[:, : self.bins] * mask).transpose(1, 2)  # (B, T, bins)
        for part in self.spectral.values():
            x = self.dropout(F.mish(part(x)))
        x = self.temporal(x.transpose(1, 2)).transpose(1, 2)
        frames = mask[:, 0] > 0  # (B, T)
        x = self.slf_attn(x.masked_fill(~frames[..., None], 0.0), frames)
        x = self.fc(x).masked_fill(~frames[..., None], 0.0)
        out: Tensor = (x.sum(1) / frames.sum(1, keepdim=True).clamp(min=1))[..., None]
        return out


class _Linear(nn.Module):
    """A linear layer one name deeper, as in the published files."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x)
        return out
