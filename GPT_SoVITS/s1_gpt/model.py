"""`SemanticGPT`: the post-norm transformer over dialogue columns (spec: s1 §2-§4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.nn.masks import attention_mask
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.embeddings import ColumnEmbedding
from GPT_SoVITS.s1_gpt.kv_cache import KVCache


class SelfAttention(nn.Module):
    """Multi-head attention with fused q, k, v rows and an optional turn-distance bias."""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.n_head = config.n_head
        self.dropout = config.dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.turn_bias = None
        if config.max_turn_distance:
            self.turn_bias = nn.Parameter(torch.zeros(config.n_head, config.max_turn_distance + 1))
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None,
        distance: Tensor | None,
        cache: KVCache | None,
        layer: int,
        weights: list[Tensor] | None,
    ) -> Tensor:
        """x (B, N, D), mask (B, N, M) or None for all -> (B, N, D)."""
        b, n, dim = x.shape
        qkv = self.qkv(x).view(b, n, 3, self.n_head, dim // self.n_head)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, N, d)
        if cache is not None:
            k, v = cache.write(layer, k, v)
        bias = None if mask is None else mask[:, None]  # (B, 1, N, M)
        if self.turn_bias is not None and distance is not None:
            by_turn = self.turn_bias[:, distance].transpose(0, 1)  # (B, H, N, M)
            bias = by_turn if bias is None else by_turn.masked_fill(~bias, float("-inf"))
        if weights is not None:
            weights.append(_weights(q, k, bias))
        y = F.scaled_dot_product_attention(
            q, k, v, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0
        )
        return self.out(y.transpose(1, 2).reshape(b, n, dim))


def _weights(q: Tensor, k: Tensor, bias: Tensor | None) -> Tensor:
    """Attention probabilities (B, H, N, M), for figures."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if bias is not None:
        scores = (
            scores.masked_fill(~bias, float("-inf")) if bias.dtype == torch.bool else scores + bias
        )
    return scores.softmax(dim=-1)


class Layer(nn.Module):
    """h1 = LN(h + attention(h)); h2 = LN(h1 + W2 relu(W1 h1))."""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        dim = config.hidden_dim
        self.attention = SelfAttention(config)
        self.feed_forward_in = nn.Linear(dim, 4 * dim)
        self.feed_forward_out = nn.Linear(4 * dim, dim)
        self.norm1 = nn.LayerNorm(dim, eps=1e-5)
        self.norm2 = nn.LayerNorm(dim, eps=1e-5)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, *context) -> Tensor:  # type: ignore[no-untyped-def]
        """x (B, N, D) -> (B, N, D); `context` goes to the attention."""
        x = self.norm1(x + self.dropout(self.attention(x, *context)))
        hidden = self.dropout(F.relu(self.feed_forward_in(x)))
        return self.norm2(x + self.dropout(self.feed_forward_out(hidden)))


class SemanticGPT(nn.Module):
    """Predicts the next semantic code at every column."""

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = ColumnEmbedding(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layer))
        self.head = nn.Linear(config.hidden_dim, config.vocab_size, bias=False)

    def forward(
        self,
        batch: ColumnBatch,
        *,
        mask: str = "block_causal",
        cache: KVCache | None = None,
        weights: list[Tensor] | None = None,
    ) -> Tensor:
        """Logits (B, N, V) of the batch's N columns.

        With a cache the columns follow those already in it and are appended to it; a text segment
        must arrive whole under `block_causal`. `weights`, if a list, receives one (B, H, N, M)
        tensor of attention probabilities per layer.
        """
        return self.head(self.hidden(batch, mask=mask, cache=cache, weights=weights))

    def hidden(
        self,
        batch: ColumnBatch,
        *,
        mask: str = "block_causal",
        cache: KVCache | None = None,
        weights: list[Tensor] | None = None,
    ) -> Tensor:
        """Last hidden states (B, N, D); arguments as in `forward`."""
        past = 0 if cache is None else cache.length
        query = batch.facts(past)
        key = query if cache is None or cache.facts is None else cache.facts.join(query)
        allowed: Tensor | None = attention_mask(query, key, mask=mask)  # (B, N, M)
        if batch.ids.shape[1] == 1 and bool(allowed.all()):  # type: ignore[union-attr]
            allowed = None  # one new column that sees everything: the fast kernel needs no mask
        distance = None
        if self.config.max_turn_distance:
            distance = query.turn[:, :, None] - key.turn[:, None, :]
            distance = distance.clamp(0, self.config.max_turn_distance)
        if cache is not None:
            cache.reserve(batch.ids.shape[1])
        x = self.embedding(batch)
        for index, layer in enumerate(self.layers):
            x = layer(x, allowed, distance, cache, index, weights)
        if cache is not None:
            cache.advance(query)
        return x

    def new_cache(self, *, batch_size: int = 1, capacity: int = 256) -> KVCache:
        """An empty cache on the model's device and dtype."""
        parameter = self.head.weight
        return KVCache(
            self.config,
            batch_size=batch_size,
            capacity=capacity,
            device=parameter.device,
            dtype=parameter.dtype,
        )
