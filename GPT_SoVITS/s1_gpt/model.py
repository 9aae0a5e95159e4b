"""SemanticGPT: columns of a dialogue in, logits of the next semantic token out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from GPT_SoVITS.nn.masks import dialogue_mask
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.embeddings import ColumnEmbedding
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.layer import Layer


@dataclass(frozen=True)
class S1Output:
    """What :meth:`SemanticGPT.run` returns."""

    logits: Tensor
    """(B, N, V)"""
    cache: KVCache | None = None
    weights: Tensor | None = None
    """(L, B, H, N, Nk) attention weights, when asked for"""


class SemanticGPT(nn.Module):
    """The network of GPT-SoVITS stage 1, over any sequence of the dialogue layout.

    Parameter names are the right-hand side of `checkpoints.keymaps.S1_NAMES`.
    """

    def __init__(self, config: S1Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = ColumnEmbedding(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.n_layer))
        self.head = nn.Linear(config.hidden_dim, config.vocab_size, bias=False)
        self.turn_bias: nn.Parameter | None = None
        if config.max_turn_distance:
            self.turn_bias = nn.Parameter(torch.zeros(config.max_turn_distance + 1, config.n_head))

    def forward(self, batch: ColumnBatch, *, mask: str = "block_causal") -> Tensor:
        """-> logits (B, N, V). With a cache or attention weights: :meth:`run`."""
        return self.run(batch, mask=mask).logits

    def embed(self, batch: ColumnBatch) -> Tensor:
        """-> (B, N, D), what enters the first layer"""
        out: Tensor = self.embedding(batch)
        return out

    def new_cache(self, batch_size: int = 1, *, capacity: int = 512) -> KVCache:
        """An empty cache for this network."""
        c = self.config
        return KVCache.empty(
            n_layer=c.n_layer,
            batch=batch_size,
            n_head=c.n_head,
            head_dim=c.hidden_dim // c.n_head,
            capacity=capacity,
            like=self.head.weight.detach(),
        )

    def run(
        self,
        batch: ColumnBatch,
        *,
        mask: str = "block_causal",
        cache: KVCache | None = None,
        need_weights: bool = False,
        embedded: Tensor | None = None,
    ) -> S1Output:
        """Columns behind those of ``cache`` -> logits of the new columns and the longer cache.

        A text segment must come whole in one call (its columns see each other). ``cache`` itself
        stays valid: run twice from it to fork. ``embedded`` (B, N, D) replaces :meth:`embed`.
        A cache is for inference: with one, no gradient is recorded.
        """
        if cache is not None and not torch.is_inference_mode_enabled():
            with torch.inference_mode():
                return self.run(
                    batch, mask=mask, cache=cache, need_weights=need_weights, embedded=embedded
                )
        x = self.embed(batch) if embedded is None else embedded
        past, new = 0, None
        key_meta = {n: getattr(batch, n) for n in ("segment", "turn", "valid", "hidden")}
        if cache is not None:
            past, new = cache.length, cache.reserve(x.shape[1])
            new.write_meta(past, **key_meta)
            key_meta = {name: new.meta(name) for name in key_meta}
        allowed = dialogue_mask(
            rule=mask,
            query_segment=batch.segment,
            query_is_text=batch.is_text,
            key_segment=key_meta["segment"],
            key_valid=key_meta["valid"],
            key_hidden=key_meta["hidden"],
            past=past,
        )[:, None]  # (B, 1, N, Nk)
        if self.turn_bias is not None:
            distance = batch.turn[:, :, None] - key_meta["turn"][:, None, :]  # (B, N, Nk)
            bias = self.turn_bias[distance.clamp(0, len(self.turn_bias) - 1)]  # (B, N, Nk, H)
            allowed = bias.permute(0, 3, 1, 2).masked_fill(~allowed, -math.inf)  # (B, H, N, Nk)
        # a text behind its history sees all of it: every layer is spared the mask
        whole = cache is not None and self.turn_bias is None and bool(allowed.all())
        weights = []
        for index, layer in enumerate(self.layers):
            x, w = layer(
                x, None if whole else allowed, cache=new, index=index, need_weights=need_weights
            )
            weights.append(w)
        stacked = torch.stack(weights) if need_weights else None
        return S1Output(self.head(x), new, stacked)
