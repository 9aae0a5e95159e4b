"""Masks, made in one place. True = valid / may attend.

`causal` is the rule of the paper's published code; `block_causal` is GPT-SoVITS's, turn by turn.
"""

from __future__ import annotations

import torch
from torch import Tensor

RULES = ("block_causal", "causal")


def length_mask(lengths: Tensor, max_length: int | None = None) -> Tensor:
    """lengths (B,) -> (B, T) bool, True at the valid places."""
    size = int(lengths.max()) if max_length is None else max_length
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]


def dialogue_mask(
    *,
    rule: str,
    query_segment: Tensor,
    query_is_text: Tensor,
    key_segment: Tensor,
    key_valid: Tensor,
    key_hidden: Tensor,
    past: int = 0,
) -> Tensor:
    """Who may attend to whom in a dialogue sequence -> (B, Nq, Nk) bool.

    The queries (B, Nq) are the last columns of the keys (B, Nk); ``past`` = Nk - Nq of them lie in
    a cache. A hidden key is seen by its own segment only. Every query sees itself, so that the row
    of a padding column is not empty. Raises `ValueError`.
    """
    if rule not in RULES:
        raise ValueError(f"mask is {rule!r}; it must be one of {RULES}")
    n_query, n_key = query_segment.shape[1], key_segment.shape[1]
    device = query_segment.device
    q = torch.arange(past, past + n_query, device=device)[:, None]
    k = torch.arange(n_key, device=device)[None, :]
    not_later = (k <= q)[None]  # (1, Nq, Nk)
    same = query_segment[:, :, None] == key_segment[:, None, :]
    earlier = key_segment[:, None, :] < query_segment[:, :, None]
    if rule == "causal":
        inside, before = same & not_later, earlier & not_later
    else:
        inside, before = same & (query_is_text[:, :, None] | not_later), earlier
    allowed = (inside | (before & ~key_hidden[:, None, :])) & key_valid[:, None, :]
    return allowed | (k == q)[None]
