"""Attention encoder with windowed relative positions; plain cross-attention (spec: s2 §3, §4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.nn.conv import ChannelNorm, same_padding

WINDOW = 4
MASKED = -1e4


class RelativeAttention(nn.Module):
    """Self-attention; key and value tables for offsets -4..4, exactly zero outside."""

    def __init__(self, channels: int, n_heads: int, p_dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        d = channels // n_heads
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (
            nn.Conv1d(channels, channels, 1) for _ in range(4)
        )
        self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * WINDOW + 1, d) * d**-0.5)
        self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * WINDOW + 1, d) * d**-0.5)
        self.dropout = nn.Dropout(p_dropout)
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, C, T), mask (B, 1, T, T) True = valid pair -> (B, C, T)."""
        b, c, t = x.shape
        q, k, v = (
            conv(x).view(b, self.n_heads, -1, t).transpose(2, 3)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )  # each (B, H, T, d)
        q = q / math.sqrt(q.shape[-1])
        near, inside = _offsets(t, x.device)  # (T, 9) key of every offset, True where it exists
        scores = q @ k.transpose(-1, -2)
        relative = (q @ self.emb_rel_k[0].T) * inside  # (B, H, T, 9)
        scores = scores.scatter_add(-1, near.expand_as(relative), relative.to(scores.dtype))
        p = self.dropout(scores.masked_fill(~mask, MASKED).softmax(dim=-1))
        y = p @ v + (p.gather(-1, near.expand_as(relative)) * inside) @ self.emb_rel_v[0]
        out: Tensor = self.conv_o(y.transpose(2, 3).reshape(b, c, t))
        return out


def _offsets(t: int, device: torch.device) -> tuple[Tensor, Tensor]:
    key = torch.arange(t, device=device)[:, None] + torch.arange(-WINDOW, WINDOW + 1, device=device)
    inside = (key >= 0) & (key < t)
    return key.clamp(0, t - 1), inside.float()


class CrossAttention(nn.Module):
    """Multi-head attention from (B, C, T) to (B, C, X), no positions."""

    def __init__(self, channels: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.conv_q, self.conv_k, self.conv_v, self.conv_o = (
            nn.Conv1d(channels, channels, 1) for _ in range(4)
        )
        for conv in (self.conv_q, self.conv_k, self.conv_v):
            nn.init.xavier_uniform_(conv.weight)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """x (B, C, T), memory (B, C, X), mask (B, 1, T, X) -> (B, C, T)."""
        b, c, t = x.shape
        q = self.conv_q(x).view(b, self.n_heads, -1, t).transpose(2, 3)
        k, v = (
            conv(memory).view(b, self.n_heads, -1, memory.shape[2]).transpose(2, 3)
            for conv in (self.conv_k, self.conv_v)
        )
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
        y = scores.masked_fill(~mask, MASKED).softmax(dim=-1) @ v
        out: Tensor = self.conv_o(y.transpose(2, 3).reshape(b, c, t))
        return out


class FeedForward(nn.Module):
    """conv - ReLU - conv, same padding."""

    def __init__(self, channels: int, filters: int, kernel: int, p_dropout: float) -> None:
        super().__init__()
        padding = same_padding(kernel)
        self.conv_1 = nn.Conv1d(channels, filters, kernel, padding=padding)
        self.conv_2 = nn.Conv1d(filters, channels, kernel, padding=padding)
        self.dropout = nn.Dropout(p_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T), mask (B, 1, T) -> (B, C, T)."""
        y = self.dropout(F.relu(self.conv_1(x * mask)))
        out: Tensor = self.conv_2(y * mask) * mask
        return out


class AttentionEncoder(nn.Module):
    """n layers of relative attention and feed-forward, post-norm."""

    def __init__(
        self,
        channels: int,
        filters: int,
        n_heads: int,
        n_layers: int,
        kernel: int,
        p_dropout: float,
    ) -> None:
        super().__init__()
        layers = range(n_layers)
        self.attn_layers = nn.ModuleList(
            RelativeAttention(channels, n_heads, p_dropout) for _ in layers
        )
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in layers)
        self.ffn_layers = nn.ModuleList(
            FeedForward(channels, filters, kernel, p_dropout) for _ in layers
        )
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in layers)
        self.dropout = nn.Dropout(p_dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (B, C, T), mask (B, 1, T) float 0/1 -> (B, C, T)."""
        pairs = (mask[:, :, :, None] * mask[:, :, None, :]) > 0  # (B, 1, T, T)
        x = x * mask
        parts = zip(self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2)
        for attention, norm_1, feed_forward, norm_2 in parts:
            x = norm_1(x + self.dropout(attention(x, pairs)))
            x = norm_2(x + self.dropout(feed_forward(x, mask)))
        return x * mask
