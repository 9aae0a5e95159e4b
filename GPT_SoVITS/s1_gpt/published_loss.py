"""Stage 1's loss as published code computes it, where that differs from ours.

    rule      targets                                          padding
    newer     first code … last code, EOS                      ignored         (ours, the default)
    older     second code … last code, EOS                     ignored         (base weights)
    literal   first code … last code, EOS to the row's end     counted, and the first X - x text
                                                               columns hidden instead of the last

`literal` is upstream's newer code with its bug (spec: s1 §5.1, §5.2), for reproduction only.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.dialogue.layout import EOS, IGNORE
from GPT_SoVITS.nn.masks import length_mask
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.model import SemanticGPT

RULES = ("newer", "older", "literal")


def older_rule(batch: ColumnBatch) -> ColumnBatch:
    """The batch without the targets that text predicts: the first code is an input only."""
    return dataclasses.replace(batch, target=batch.target.masked_fill(batch.is_text, IGNORE))


def literal_loss(model: SemanticGPT, batch: ColumnBatch) -> Tensor:
    """Summed cross-entropy () of utterances (B, N) without history, upstream's padding and mask."""
    padded, x, t = _published_rows(batch)
    rows = padded.shape[0]
    n = torch.arange(x + t, device=padded.ids.device)
    q, k = n[:, None], n[None, :]
    allowed = (k < x) | ((q >= x) & (k <= q))  # text sees all text, a code all before it
    visible = padded.valid[:, None, :] & allowed  # (B, N, N)
    hidden = model.embed(padded)
    for layer in model.layers:
        hidden, _ = layer(hidden, visible[:, None])
    logits = model.head(hidden[:, x - 1 :])  # (B, T + 1, V)
    target = torch.cat([padded.ids[:, x:], padded.ids.new_full((rows, 1), EOS)], dim=1)
    return F.cross_entropy(logits.float().transpose(1, 2), target, reduction="sum")


def _published_rows(batch: ColumnBatch) -> tuple[ColumnBatch, int, int]:
    """[text padded to X][codes padded with EOS to T]; `valid` is upstream's key mask."""
    if bool((batch.segment > 1).any()):
        raise ValueError("the literal rule knows single utterances only; use history_turns: 0")
    is_text = batch.is_text & batch.valid
    texts = is_text.sum(1)
    codes = (batch.valid & ~batch.is_text).sum(1)
    x, t = int(texts.max()), int(codes.max())
    rows, device = batch.shape[0], batch.ids.device
    ids = torch.full((rows, x + t), EOS, dtype=torch.long, device=device)
    ids[:, :x] = 0
    bert = None if batch.bert is None else batch.bert.new_zeros(rows, x + t, batch.bert.shape[2])
    for row in range(rows):
        a, b = int(texts[row]), int(codes[row])
        ids[row, :a] = batch.ids[row, :a]
        ids[row, x : x + b] = batch.ids[row, a : a + b]
        if bert is not None and batch.bert is not None:
            bert[row, :a] = batch.bert[row, :a]
    text_columns = torch.arange(x + t, device=device).expand(rows, -1) < x
    place = torch.arange(x + t, device=device).expand(rows, -1)
    valid = torch.cat([~length_mask(x - texts, x), length_mask(codes, t)], dim=1)
    padded = dataclasses.replace(
        batch,
        ids=ids,
        is_text=text_columns,
        position=torch.where(text_columns, place, place - x),
        segment=(~text_columns).long(),
        role=ids.new_zeros(ids.shape),
        turn=ids.new_zeros(ids.shape),
        hidden=torch.zeros_like(text_columns),
        target=torch.full_like(ids, IGNORE),
        valid=valid,
        bert=bert,
    )
    return padded, x, t
