"""Reuse of finished columns: how much of a new sequence a KV cache already holds.

    cached    [text 1][speech 1][text 2][speech 2]
    wanted    [text 1][speech 1][text 2][speech 2][text r]      -> only [text r] is computed
    wanted             [text 2][speech 2][text 3]…              -> window moved: nothing is reused

The decision is made from the columns themselves, never from bookkeeping: keys and values are kept
only as far as every earlier column is identical, so a turn that left can leave no trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.s1_gpt.kv_cache import KVCache

COMPARED = ("ids", "is_text", "position", "segment", "turn", "role", "hidden")


@dataclass(frozen=True)
class CachedColumns:
    """A KV cache and the columns it was computed from."""

    columns: Columns
    cache: KVCache

    def reuse(self, wanted: Columns) -> tuple[KVCache, int]:
        """The cache cut to what ``wanted`` shares with it, and how many columns that is."""
        n = common_prefix(self.columns, wanted, limit=min(self.cache.length, len(self.columns)))
        return self.cache.first(n), n

    def holds(self, wanted: Columns) -> bool:
        """Whether every one of these columns is computed, and no text segment only in part."""
        n = len(wanted)
        if n > min(self.cache.length, len(self.columns)):
            return False
        whole = n == len(self.columns) or self.columns.segment[n] != self.columns.segment[n - 1]
        whole = whole or not self.columns.is_text[n - 1]
        return bool(whole and _same(self.columns, wanted, n).all())


def common_prefix(cached: Columns, wanted: Columns, *, limit: int) -> int:
    """Columns at the start of ``wanted`` that are computed already; at least one is left to do.

    A text segment counts whole or not at all: its columns see each other.
    """
    n = min(limit, len(cached), len(wanted))
    same = _same(cached, wanted, n)
    n = n if same.all() else int(np.argmin(same))
    n = min(n, len(wanted) - 1)
    inside = 0 < n and wanted.is_text[n] and wanted.segment[n] == wanted.segment[n - 1]
    whole_before = 0 < n < len(cached) and cached.is_text[n - 1]
    cut = whole_before and cached.segment[n] == cached.segment[n - 1]
    if inside or cut:
        n = int(np.searchsorted(wanted.segment, wanted.segment[n - 1]))
    return n


def _same(cached: Columns, wanted: Columns, n: int) -> np.ndarray:
    """(n,) True where a column of both is the same."""
    same = _same_bert(cached, wanted, n)
    for name in COMPARED:
        same = same & (getattr(cached, name)[:n] == getattr(wanted, name)[:n])
    return same


def _same_bert(cached: Columns, wanted: Columns, n: int) -> np.ndarray:
    if cached.bert is None and wanted.bert is None:
        return np.ones(n, dtype=bool)
    rows = [
        np.zeros((n, 1), np.float32) if c.bert is None else c.bert[:n] for c in (cached, wanted)
    ]
    values: np.ndarray = (rows[0] == rows[1]).all(axis=1)
    return values


def with_codes(columns: Columns, codes: list[int]) -> Columns:
    """``columns`` followed by the response's ``codes``, as a cache holds them afterwards."""
    n = len(codes)
    segment, position, turn, role = columns.response_start
    tail = {
        "ids": np.asarray(codes, dtype=np.int64),
        "is_text": np.zeros(n, dtype=bool),
        "position": np.arange(position, position + n, dtype=np.int64),
        "segment": np.full(n, segment, dtype=np.int64),
        "turn": np.full(n, turn, dtype=np.int64),
        "role": np.full(n, role, dtype=np.int64),
        "hidden": np.zeros(n, dtype=bool),
        "target": np.full(n, -100, dtype=np.int64),
    }
    bert = columns.bert
    if bert is not None:
        bert = np.concatenate([bert, np.zeros((n, bert.shape[1]), np.float32)])
    joined = {name: np.concatenate([getattr(columns, name), tail[name]]) for name in tail}
    return Columns(**joined, bert=bert, response_start=columns.response_start)
