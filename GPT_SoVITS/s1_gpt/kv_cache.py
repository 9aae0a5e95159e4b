"""Preallocated keys and values of finished columns, with the facts a mask needs of them.

A cache is a value: it is passed in, appended to by `SemanticGPT.forward`, and can be forked,
truncated or thrown away. It never lives on the model.
"""

from __future__ import annotations

import torch
from torch import Tensor

from GPT_SoVITS.nn.masks import ColumnFacts
from GPT_SoVITS.s1_gpt.config import S1Config

GROWTH = 256


class KVCache:
    """Keys and values (L, B, H, capacity, d) of `length` columns."""

    def __init__(
        self,
        config: S1Config,
        *,
        batch_size: int = 1,
        capacity: int = GROWTH,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        head_dim = config.hidden_dim // config.n_head
        shape = (config.n_layer, batch_size, config.n_head, capacity, head_dim)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.length = 0
        self.facts: ColumnFacts | None = None

    @property
    def capacity(self) -> int:
        """Columns that fit before the next growth."""
        return self.keys.shape[3]

    @property
    def n_bytes(self) -> int:
        """Memory held by keys and values."""
        return 2 * self.keys.numel() * self.keys.element_size()

    def reserve(self, columns: int) -> None:
        """Make room for `columns` more, growing by at least half when needed."""
        needed = self.length + columns
        if needed <= self.capacity:
            return
        extra = max(needed, self.capacity + self.capacity // 2, GROWTH) - self.capacity
        self.keys = torch.nn.functional.pad(self.keys, (0, 0, 0, extra))
        self.values = torch.nn.functional.pad(self.values, (0, 0, 0, extra))

    def write(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Put (B, H, N, d) behind the finished columns; returns views of all columns."""
        end = self.length + key.shape[2]
        self.keys[layer, :, :, self.length : end] = key
        self.values[layer, :, :, self.length : end] = value
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def advance(self, facts: ColumnFacts) -> None:
        """The columns just written by every layer are finished."""
        self.length += facts.index.shape[1]
        self.facts = facts if self.facts is None else self.facts.join(facts)

    def fork(self) -> KVCache:
        """An independent copy."""
        return self.select(slice(None))

    def select(self, rows: Tensor | slice) -> KVCache:
        """An independent cache of some rows (continuous batching: finished rows leave)."""
        other = object.__new__(KVCache)
        other.keys = self.keys[:, rows].clone()
        other.values = self.values[:, rows].clone()
        other.length = self.length
        other.facts = None if self.facts is None else self.facts.map(lambda x: x[rows].clone())
        return other

    def truncate(self, length: int) -> None:
        """Forget the columns from `length` on (a cancelled reply)."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot truncate {self.length} columns to {length}")
        self.length = length
        if self.facts is not None:
            self.facts = self.facts.map(lambda x: x[:, :length])
