"""KVCache: keys and values of finished columns, as a value that can be kept and forked.

Buffers are allocated ahead. Appending returns a new KVCache; the old one stays as it was:

    buffer   | a b c d . . . . |      cache_1 = first 4 columns
    append   | a b c d e . . . |      cache_2 = first 5: writes in place, column 5 was nobody's
    fork     cache_1 + f  ->  column 5 is taken, so the buffer is copied first
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt import large_pages

GROWTH = 1.5
META = ("segment", "turn", "valid", "hidden")


class _Buffer:
    """Shared storage; columns below ``used`` belong to some cache and are never overwritten."""

    def __init__(self, keys: Tensor, values: Tensor, meta: dict[str, Tensor]) -> None:
        self.keys, self.values, self.meta = keys, values, meta
        self.used = 0
        self.lock = threading.Lock()


@dataclass(frozen=True)
class KVCache:
    """The first ``length`` columns of a buffer: keys and values (L, B, H, C, d)."""

    buffer: _Buffer
    length: int = 0

    @classmethod
    def empty(
        cls,
        *,
        n_layer: int,
        batch: int,
        n_head: int,
        head_dim: int,
        capacity: int = 512,
        like: Tensor,
    ) -> KVCache:
        """Room for ``capacity`` columns (it grows when needed), device and dtype of ``like``."""
        shape = (n_layer, batch, n_head, capacity, head_dim)
        meta = {
            name: torch.zeros(
                batch,
                capacity,
                dtype=torch.long if name in ("segment", "turn") else torch.bool,
                device=like.device,
            )
            for name in META
        }
        keys, values = (large_pages.zeros(shape, like=like) for _ in range(2))
        return cls(_Buffer(keys, values, meta))

    @property
    def batch_size(self) -> int:
        """B"""
        return self.buffer.keys.shape[1]

    @property
    def n_bytes(self) -> int:
        """Memory of the whole buffer, room for later columns included."""
        return 2 * self.buffer.keys.nbytes

    def reserve(self, n: int) -> KVCache:
        """A cache of the same columns, with n new ones claimed behind them."""
        buffer, length = self.buffer, self.length
        with buffer.lock:
            fits = length + n <= buffer.keys.shape[3]
            if fits and buffer.used == length:
                buffer.used = length + n
                return KVCache(buffer, length + n)
        capacity = max(buffer.keys.shape[3], int((length + n) * GROWTH) if not fits else 0)
        copy = _Buffer(
            grown(buffer.keys, 3, length, capacity),
            grown(buffer.values, 3, length, capacity),
            {name: grown(t, 1, length, capacity) for name, t in buffer.meta.items()},
        )
        copy.used = length + n
        return KVCache(copy, length + n)

    def meta(self, name: str) -> Tensor:
        """(B, length) of one of META"""
        return self.buffer.meta[name][:, : self.length]

    def write_meta(self, start: int, **columns: Tensor) -> None:
        """Fill columns start..length, (B, N); only for the owner of freshly reserved columns."""
        for name, value in columns.items():
            self.buffer.meta[name][:, start : self.length] = value

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store (B, H, n, d) at start..length -> all keys and values (B, H, length, d)."""
        self.buffer.keys[layer, :, :, start : self.length] = keys
        self.buffer.values[layer, :, :, start : self.length] = values
        all_keys = self.buffer.keys[layer, :, :, : self.length]
        return all_keys, self.buffer.values[layer, :, :, : self.length]

    def first(self, length: int) -> KVCache:
        """Forget all but the first ``length`` columns (of this value; others keep theirs).

        Raises `ValueError`.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"the cache holds {self.length} columns, not {length}")
        return KVCache(self.buffer, length)


def grown(tensor: Tensor, dim: int, length: int, capacity: int) -> Tensor:
    """A larger copy along ``dim`` (any shape); its first ``length`` places are ``tensor``'s."""
    shape = list(tensor.shape)
    shape[dim] = capacity
    grown = large_pages.zeros(shape, like=tensor)
    grown.narrow(dim, 0, length).copy_(tensor.narrow(dim, 0, length))
    return grown
