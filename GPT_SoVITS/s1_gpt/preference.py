"""DPO pairs: the same sequences with a response that stumbles (spec: s1 §5.5).

chosen     … text | c1 c2 c3 c4 c5 | EOS
rejected   … text | c1 c2 c3 c2 c3 c4 c5 | EOS     a slice said twice
or         … text | c1 c4 c5 | EOS                 a slice left out
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import EOS, IGNORE, Columns
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, collate


def reject_codes(codes: Tensor, generator: torch.Generator) -> Tensor:
    """A worse version of codes (T,): a random slice said twice or left out."""
    a, b = sorted(torch.randint(0, len(codes), (2,), generator=generator).tolist())
    if torch.rand((), generator=generator) < 0.5:
        return torch.cat([codes[:b], codes[a:b], codes[b:]])
    return torch.cat([codes[:a], codes[b:]])


def rejected_batch(batch: ColumnBatch, generators: Sequence[torch.Generator]) -> ColumnBatch:
    """The batch with every response's codes edited by its row's draw; history and text stay."""
    device = batch.ids.device
    rows = [_rejected(_row(batch, i), draw) for i, draw in enumerate(generators)]
    return collate(rows).to(device)


def _row(batch: ColumnBatch, row: int) -> Columns:
    n = int(batch.valid[row].sum())
    names = ("ids", "is_text", "position", "segment", "turn", "role", "hidden", "target")
    fields = {name: getattr(batch, name)[row, :n].cpu().numpy() for name in names}
    bert = None if batch.bert is None else batch.bert[row, :n].cpu().numpy()
    start = tuple(batch.response_start[row].tolist())
    return Columns(**fields, bert=bert, response_start=start)


def _rejected(columns: Columns, generator: torch.Generator) -> Columns:
    """The columns before the response's codes, then other codes."""
    segment, position, turn, role = columns.response_start
    place = (columns.segment == segment) & (columns.position >= position)
    first = int(np.flatnonzero(place)[0])
    codes = reject_codes(torch.from_numpy(columns.ids[first:]), generator).numpy()
    n = len(codes)
    head = columns.part(0, first)
    target = head.target.copy()
    if target[-1] != IGNORE:
        target[-1] = codes[0] if n else EOS

    def longer(values: np.ndarray, tail: np.ndarray | int) -> np.ndarray:
        return np.concatenate([values, np.broadcast_to(np.asarray(tail, values.dtype), (n,))])

    bert = head.bert
    if bert is not None:
        bert = np.concatenate([bert, np.zeros((n, bert.shape[1]), bert.dtype)])
    return Columns(
        ids=longer(head.ids, codes),
        is_text=longer(head.is_text, 0),
        position=longer(head.position, position + np.arange(n)),
        segment=longer(head.segment, segment),
        turn=longer(head.turn, turn),
        role=longer(head.role, role),
        hidden=longer(head.hidden, 0),
        target=np.concatenate([target, codes[1:], [EOS]])[: first + n],
        bert=bert,
        response_start=columns.response_start,
    )
