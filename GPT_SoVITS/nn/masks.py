"""Attention masks from column facts; True = may attend. The only place where the rule is written."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ColumnFacts:
    """What a mask needs to know of columns; every tensor (B, N). `index` counts columns from 0."""

    index: Tensor
    segment: Tensor
    is_text: Tensor
    turn: Tensor
    hidden: Tensor
    valid: Tensor

    def join(self, other: ColumnFacts) -> ColumnFacts:
        """These columns followed by the others."""
        return ColumnFacts(
            *(torch.cat([a, b], dim=1) for a, b in zip(vars(self).values(), vars(other).values()))
        )

    def map(self, function) -> ColumnFacts:  # type: ignore[no-untyped-def]
        """Apply a function to every tensor."""
        return ColumnFacts(*(function(value) for value in vars(self).values()))


def attention_mask(query: ColumnFacts, key: ColumnFacts, *, mask: str) -> Tensor:
    """(B, N_query, N_key) bool, True = may attend (design: dialogue/layout.py).

    block_causal: earlier segment, or same segment and (text, or not later). causal: not later.
    Hidden segments are seen by themselves only; invalid (padding) keys by nobody but themselves.
    """
    if mask not in ("block_causal", "causal"):
        raise ValueError(f"mask is {mask!r}; use block_causal or causal")
    q_segment, k_segment = query.segment[:, :, None], key.segment[:, None, :]
    q_index, k_index = query.index[:, :, None], key.index[:, None, :]
    same = q_segment == k_segment
    not_later = k_index <= q_index
    if mask == "causal":
        allowed = not_later
    else:
        allowed = (k_segment < q_segment) | (same & (query.is_text[:, :, None] | not_later))
    allowed = allowed & key.valid[:, None, :] & (same | ~key.hidden[:, None, :])
    return allowed | (q_index == k_index)  # a padding row sees itself: no row is empty
