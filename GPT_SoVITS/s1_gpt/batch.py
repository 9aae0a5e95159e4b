"""ColumnBatch: sequences of the dialogue layout as padded tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import IGNORE, Columns


@dataclass(frozen=True)
class ColumnBatch:
    """Columns of B sequences, right-padded to N; all (B, N) unless said otherwise."""

    ids: Tensor
    is_text: Tensor
    position: Tensor
    segment: Tensor
    turn: Tensor
    role: Tensor
    hidden: Tensor
    target: Tensor
    valid: Tensor
    bert: Tensor | None
    """(B, N, 1024) or None"""
    response_start: Tensor
    """(B, 4): segment, position, turn, role of each response's first code"""

    @property
    def shape(self) -> tuple[int, int]:
        """(B, N)"""
        return self.ids.shape[0], self.ids.shape[1]

    def lengths(self) -> Tensor:
        """(B,) columns that are not padding"""
        return self.valid.sum(1)

    def to(self, device: torch.device | str) -> ColumnBatch:
        """The same batch on another device."""
        return dataclasses.replace(
            self,
            **{
                f.name: value.to(device)
                for f in dataclasses.fields(self)
                if (value := getattr(self, f.name)) is not None
            },
        )


_FILL = {"ids": 0, "is_text": False, "position": 0, "segment": -1, "turn": 0, "role": 0}
_FILL |= {"hidden": False, "target": IGNORE}


def collate(sequences: Sequence[Columns]) -> ColumnBatch:
    """Pad to the longest sequence on the right; padding is never valid and never a target.

    Raises `ValueError`.
    """
    if not sequences:
        raise ValueError("a batch needs at least one sequence")
    lengths = [len(columns) for columns in sequences]
    n = max(lengths)
    fields = {
        name: torch.from_numpy(
            np.stack(
                [np.pad(getattr(c, name), (0, n - len(c)), constant_values=fill) for c in sequences]
            )
        )
        for name, fill in _FILL.items()
    }
    bert = None
    if any(c.bert is not None for c in sequences):
        width = next(c.bert.shape[1] for c in sequences if c.bert is not None)
        bert = torch.zeros(len(sequences), n, width)
        for row, columns in enumerate(sequences):
            if columns.bert is not None:
                bert[row, : len(columns)] = torch.from_numpy(columns.bert)
    valid = torch.arange(n)[None, :] < torch.tensor(lengths)[:, None]
    start = torch.tensor([c.response_start for c in sequences])
    return ColumnBatch(**fields, valid=valid, bert=bert, response_start=start)


def code_columns(
    ids: Tensor, start: Tensor, *, offset: int | Tensor = 0, valid: Tensor | None = None
) -> ColumnBatch:
    """Response codes (B, T) as columns; the first is code number ``offset`` of the response.

    ``offset`` is one number, or one per row (B, 1).
    """
    batch, n = ids.shape
    segment, position, turn, role = (start[:, i : i + 1].expand(batch, n) for i in range(4))
    no = torch.zeros_like(ids, dtype=torch.bool)
    return ColumnBatch(
        ids=ids,
        is_text=no,
        position=position + offset + torch.arange(n, device=ids.device),
        segment=segment,
        turn=turn,
        role=role,
        hidden=no,
        target=torch.full_like(ids, IGNORE),
        valid=~no if valid is None else valid,
        bert=None,
        response_start=start,
    )
