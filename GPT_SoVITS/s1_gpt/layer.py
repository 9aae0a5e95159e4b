"""One post-norm transformer layer with ReLU feed-forward, over a cache or without."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.kv_cache import KVCache


class Attention(nn.Module):
    """Multi-head self-attention; q, k, v in one projection."""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        self.n_head, self.p_dropout = config.n_head, config.dropout
        self.qkv = nn.Linear(config.hidden_dim, 3 * config.hidden_dim)
        self.out = nn.Linear(config.hidden_dim, config.hidden_dim)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        *,
        cache: KVCache | None = None,
        index: int = 0,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, N, D), mask (B, 1 or H, N, Nk) bool, bias, or None for all
        -> (B, N, D), weights (B, H, N, Nk)"""
        size, n, dim = x.shape
        q, k, v = self.qkv(x).view(size, n, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)  # (B,H,N,d)
        if cache is not None:
            k, v = cache.write(index, cache.length - n, k, v)
        weights = None
        if need_weights:
            scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
            if mask is not None and mask.dtype == torch.bool:
                scores = scores.masked_fill(~mask, -math.inf)
            elif mask is not None:
                scores = scores + mask
            weights = scores.softmax(-1)
            y = weights @ v
        else:
            p = self.p_dropout if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=p)
        return self.out(y.transpose(1, 2).reshape(size, n, dim)), weights


class Layer(nn.Module):
    """h1 = LN(h + attention(h)); h2 = LN(h1 + W2 relu(W1 h1))"""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.attention = Attention(config)
        self.norm1 = nn.LayerNorm(dim)
        self.feed_forward_in = nn.Linear(dim, 4 * dim)
        self.feed_forward_out = nn.Linear(4 * dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        *,
        cache: KVCache | None = None,
        index: int = 0,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, N, D) -> (B, N, D), attention weights or None"""
        y, weights = self.attention(x, mask, cache=cache, index=index, need_weights=need_weights)
        x = self.norm1(x + self.dropout(y))
        y = self.feed_forward_out(self.dropout(F.relu(self.feed_forward_in(x))))
        return self.norm2(x + self.dropout(y)), weights
