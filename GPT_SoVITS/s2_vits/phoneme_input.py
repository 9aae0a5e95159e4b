"""What the text encoder reads: the response's phonemes, with the history's beside or before them.

off      [response]
gated    [response]  <- attends to ->  [history]      two sequences
concat   [history response]                           one sequence
"""

from __future__ import annotations

import torch
from torch import Tensor

from GPT_SoVITS.s2_vits.batch import HistoryBatch, length_mask


def phoneme_input(
    mode: str, ids: Tensor, lengths: Tensor, history: HistoryBatch | None
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """ids (B, X), lengths (B,) -> ids, mask (B, 1, X'), and (ids, mask) of a history kept apart."""
    if history is None or mode == "off":
        return ids, length_mask(lengths, ids.shape[1]), None
    past, past_lengths = history.phoneme_ids, history.phoneme_lengths
    if mode == "gated":
        earlier = past, length_mask(past_lengths, past.shape[1])
        return ids, length_mask(lengths, ids.shape[1]), earlier
    total = past_lengths + lengths
    both = ids.new_zeros(len(ids), int(total.max()))
    for row in range(len(ids)):
        p, n = int(past_lengths[row]), int(lengths[row])
        both[row, : p + n] = torch.cat([past[row, :p], ids[row, :n]])
    return both, length_mask(total, both.shape[1]), None
