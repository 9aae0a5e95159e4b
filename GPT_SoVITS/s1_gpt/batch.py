"""`ColumnBatch`: padded columns of several sequences as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import IGNORE, Columns
from GPT_SoVITS.nn.masks import ColumnFacts

PAD_SEGMENT = 1 << 30


@dataclass(frozen=True)
class ColumnBatch:
    """Tensors (B, N); `bert` (B, N, 1024) or None. `valid` is False on padding (right)."""

    ids: Tensor
    is_text: Tensor
    position: Tensor
    segment: Tensor
    turn: Tensor
    role: Tensor
    hidden: Tensor
    target: Tensor
    valid: Tensor
    bert: Tensor | None = None

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> ColumnBatch:
        """The same batch on another device."""
        moved = {
            k: v.to(device, non_blocking=non_blocking) if isinstance(v, Tensor) else v
            for k, v in vars(self).items()
        }
        return ColumnBatch(**moved)

    def pin_memory(self) -> ColumnBatch:
        """Page-locked copies (for Lightning's loaders)."""
        pinned = {k: v.pin_memory() if isinstance(v, Tensor) else v for k, v in vars(self).items()}
        return ColumnBatch(**pinned)

    @property
    def lengths(self) -> Tensor:
        """Valid columns per row (B,)."""
        return self.valid.sum(dim=1)

    def facts(self, offset: int = 0) -> ColumnFacts:
        """Facts for the attention mask; columns are numbered from `offset`."""
        n = self.ids.shape[1]
        index = torch.arange(offset, offset + n, device=self.ids.device).expand_as(self.ids)
        return ColumnFacts(index, self.segment, self.is_text, self.turn, self.hidden, self.valid)


def collate(columns: Sequence[Columns]) -> ColumnBatch:
    """Right-pad to the longest: padding is invalid, targets IGNORE, its own segment."""
    if not columns:
        raise ValueError("a batch needs at least one sequence")
    longest = max(len(c) for c in columns)

    def stack(name: str, fill: int | bool) -> Tensor:
        first = getattr(columns[0], name)
        out = np.full((len(columns), longest), fill, dtype=first.dtype)
        for row, c in zip(out, columns):
            row[: len(c)] = getattr(c, name)
        return torch.from_numpy(out)

    valid = torch.zeros(len(columns), longest, dtype=torch.bool)
    for row, c in enumerate(columns):
        valid[row, : len(c)] = True
    bert = None
    if any(c.bert is not None for c in columns):
        width = next(c.bert.shape[1] for c in columns if c.bert is not None)
        bert = torch.zeros(len(columns), longest, width)
        for row, c in enumerate(columns):
            if c.bert is not None:
                bert[row, : len(c)] = torch.from_numpy(c.bert)
    return ColumnBatch(
        ids=stack("ids", 0),
        is_text=stack("is_text", False),
        position=stack("position", 0),
        segment=stack("segment", PAD_SEGMENT),
        turn=stack("turn", 0),
        role=stack("role", 0),
        hidden=stack("hidden", False),
        target=stack("target", IGNORE),
        valid=valid,
        bert=bert,
    )
