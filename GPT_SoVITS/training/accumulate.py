"""A step's batch in several parts: the memory of one part, the gradient of the whole.

batch   a b c d e        trainer.accumulate 2: the loss of every part is divided by the counts
part 0  a   c   e        of the whole batch (of all ranks), so the summed gradients are those of
part 1    b   d          one pass; only the last part's backward is shared with other ranks
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytorch_lightning as pl
from torch import Tensor


def parts_of(batch: Any, rows: int, n: int) -> list[Any]:
    """At most n parts, each with every n-th row of all tensors; never one without a row.

    `batch` is a tensor, a dataclass or a tuple of them; what is no tensor goes to every part.
    """
    if n == 1:
        return [batch]
    return [_rows(batch, part, n) for part in range(min(n, rows))]


def add_gradients(module: pl.LightningModule, loss: Tensor) -> None:
    """Backward of the loss () of a part that is not the last: no rank waits for another."""
    module.trainer.precision_plugin.pre_backward(loss, module).backward()


def _rows(value: Any, start: int, step: int) -> Any:
    if isinstance(value, Tensor):
        return value[start::step]
    if isinstance(value, tuple):
        return tuple(_rows(part, start, step) for part in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return type(value)(**{name: _rows(part, start, step) for name, part in fields.items()})
    return value
