"""SlotCache: keys and values of several replies being decoded together, one slot each.

Slots have different lengths; a reply that is done gives its slot away and the last one moves in,
so that the rows in use are always the first ones:

    slot 0   | a b c d e . . . |  length 5        reply 1 ends:  | a b c d e . . . |
    slot 1   | f g . . . . . . |  length 2                       | h i j k . . . . |
    slot 2   | h i j k . . . . |  length 4
"""

from __future__ import annotations

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.kv_cache import META, KVCache, grown
from GPT_SoVITS.s1_gpt.model import SemanticGPT

BLOCK = 256


class SlotCache:
    """Buffers (L, S, H, C, d), length and meta of every column per slot."""

    def __init__(self, model: SemanticGPT, slots: int, capacity: int) -> None:
        empty = model.new_cache(slots, capacity=capacity).buffer
        self.keys, self.values, self.meta = empty.keys, empty.values, empty.meta
        self.length = torch.zeros(slots, dtype=torch.long, device=self.keys.device)
        self._rows = torch.arange(slots, device=self.keys.device)

    @property
    def slots(self) -> int:
        """S"""
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        """C, columns a slot can hold."""
        return self.keys.shape[3]

    def load(self, slot: int, cache: KVCache, *, room: int) -> None:
        """Copy a prompt's columns into a slot; there is space for ``room`` more."""
        n = cache.length
        self.reserve(n + room)
        self.keys[:, slot, :, :n] = cache.buffer.keys[:, 0, :, :n]
        self.values[:, slot, :, :n] = cache.buffer.values[:, 0, :, :n]
        for name in META:
            self.meta[name][slot, :n] = cache.meta(name)[0]
        self.length[slot] = n

    def reserve(self, columns: int) -> None:
        """Grow the buffers, in blocks, where a slot could not hold so many."""
        used, capacity = self.capacity, -(-columns // BLOCK) * BLOCK
        if capacity <= used:
            return
        self.keys = grown(self.keys, 3, used, capacity)
        self.values = grown(self.values, 3, used, capacity)
        self.meta = {name: grown(value, 1, used, capacity) for name, value in self.meta.items()}

    def move(self, source: int, target: int, columns: int) -> None:
        """Copy the first ``columns`` columns of a slot to another."""
        if source == target:
            return
        for buffer in (self.keys, self.values):
            buffer[:, target, :, :columns] = buffer[:, source, :, :columns]
        for value in self.meta.values():
            value[target, :columns] = value[source, :columns]
        self.length[target] = self.length[source]

    def copy(self, slot: int, columns: int) -> KVCache:
        """The first ``columns`` columns of a slot as a cache of their own."""
        layers, _, heads, _, dim = self.keys.shape
        kept = KVCache.empty(
            n_layer=layers, batch=1, n_head=heads, head_dim=dim, capacity=columns, like=self.keys
        ).reserve(columns)
        kept.write_meta(0, **{name: value[slot, :columns] for name, value in self.meta.items()})
        kept.buffer.keys[:, 0] = self.keys[:, slot, :, :columns]
        kept.buffer.values[:, 0] = self.values[:, slot, :, :columns]
        return kept

    def places(self, rows: int) -> Tensor:
        """(B,) column that comes next in each slot; a slot nobody uses stays inside its buffer."""
        return self.length[:rows].clamp(max=self.capacity - 1)

    def mark(self, columns: ColumnBatch, at: Tensor) -> None:
        """Meta of the columns (B, 1) that come next, at their :meth:`places`."""
        rows = columns.shape[0]
        for name in META:
            self.meta[name][self._rows[:rows], at] = getattr(columns, name)[:, 0]

    def write(
        self, layer: int, keys: Tensor, values: Tensor, n: int, at: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Store (B, H, 1, d) at each slot's place -> the first n columns of the slots."""
        rows = len(keys)
        here = (self._rows[:rows], slice(None), at)
        self.keys[layer][here] = keys[:, :, 0]
        self.values[layer][here] = values[:, :, 0]
        return self.keys[layer, :rows, :, :n], self.values[layer, :rows, :, :n]

    def seen(self, rows: int, n: int) -> Tensor:
        """(B, 1, 1, n) bias: 0 up to the column being written, -inf behind it."""
        behind = torch.arange(n, device=self.length.device) > self.length[:rows, None]
        zero = torch.zeros(rows, n, dtype=self.keys.dtype, device=self.length.device)
        return zero.masked_fill(behind, -torch.inf)[:, None, None]
