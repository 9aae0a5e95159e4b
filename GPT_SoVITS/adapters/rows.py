"""New rows of a phoneme table: they learn while every other row stays exactly as it is.

table   | v2 symbols (frozen) | <GIGGLES> <SIGH> (trained) | spare rows (frozen) |
                              ^ first
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

APART = 1e-4
PHONEME_TABLES = {"s1": "embedding.text", "s2": "prior_encoder.text_embedding"}


class TrainableRows(nn.Module):
    """An embedding of which rows first … first + n - 1 are the only parameter that learns."""

    weight: Tensor

    def __init__(self, table: nn.Embedding, first: int, n: int) -> None:
        super().__init__()
        self.first = first
        weight = table.weight.detach()
        self.register_buffer("weight", weight)
        self.rows = nn.Parameter(weight[first : first + n].clone())

    def table(self) -> Tensor:
        """All rows (V, D)."""
        after = self.first + len(self.rows)
        return torch.cat([self.weight[: self.first], self.rows, self.weight[after:]])

    def forward(self, ids: Tensor) -> Tensor:
        """ids (…) -> (…, D)"""
        return F.embedding(ids, self.table())


def train_rows(model: nn.Module, kind: str, first: int, n: int) -> TrainableRows:
    """Put a `TrainableRows` in place of the model's phoneme table."""
    parent_name, _, name = PHONEME_TABLES[kind].rpartition(".")
    parent = model.get_submodule(parent_name)
    rows = TrainableRows(getattr(parent, name), first, n)
    setattr(parent, name, rows)
    return rows


@torch.no_grad()
def starting_rows(table: Tensor, first: int, n: int) -> Tensor:
    """(n, D) rows for new symbols first … of a table (V, D): its mean, apart by 1e-4 of itself.

    A symbol the network has never seen is then nothing unusual to it, and two are not the same.
    """
    mean = table.mean(dim=0)
    rows = []
    for row in range(first, first + n):
        draw = torch.Generator().manual_seed(row)
        apart = 2 * torch.rand(table.shape[1], generator=draw) - 1
        rows.append(mean * (1 + APART * apart.to(mean)))
    return torch.stack(rows) if rows else table.new_zeros(0, table.shape[1])
