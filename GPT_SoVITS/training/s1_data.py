"""Stage 1 data: dialogue lines of the manifest become sequences of the shared layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from GPT_SoVITS.dialogue.history import (
    HistoryDropout,
    drop_history,
    select_history,
    sequence_of,
)
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.training.config import DataConfig
from GPT_SoVITS.training.prepared import PreparedData, line_offsets, read_line
from GPT_SoVITS.training.samplers import StepSampler


@dataclass(frozen=True)
class BatchConfig:
    """Size of a stage 1 batch."""

    max_columns: int = 4096
    """Longest sequence x sequences in a batch, padding included."""
    max_sequences: int = 16


class S1Dataset(Dataset[Any]):
    """One item per target turn; items are read by offset, nothing is held in memory."""

    def __init__(
        self,
        manifest: Path,
        layout: LayoutConfig,
        *,
        dropout: HistoryDropout | None = None,
        seed: int = 0,
    ) -> None:
        self.manifest, self.layout, self.dropout, self.seed = manifest, layout, dropout, seed
        items, lengths = [], []
        for offset in line_offsets(manifest).tolist():
            record = read_line(manifest, offset)
            turns = encoded_turns(record)
            for target in record["targets"]:
                places = [*select_history(turns, target, layout), target]
                items.append((offset, target))
                lengths.append(sum(len(turns[i].phonemes) + len(turns[i].codes) for i in places))
        self.items = np.asarray(items, dtype=np.int64).reshape(-1, 2)
        self.lengths = np.asarray(lengths, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: tuple[int, int] | int) -> Columns:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        offset, target = self.items[index].tolist()
        record = read_line(self.manifest, offset)
        turns = encoded_turns(record)
        keep = "full"
        if self.dropout is not None:
            sample = record["turns"][target]["id"]
            keep = drop_history(self.dropout, seed=self.seed, epoch=epoch, sample_id=sample)
        return sequence_of(turns, target, self.layout, keep=keep).columns()


def encoded_turns(record: dict) -> list[EncodedTurn]:
    """Turns of one manifest line as numbers."""
    return [
        EncodedTurn(
            speaker=turn["speaker"],
            phonemes=np.asarray(turn["phonemes"], dtype=np.int64),
            codes=np.asarray(turn["codes"], dtype=np.int64),
            turn=turn["index"],
        )
        for turn in record["turns"]
    ]


def train_loader(
    data: PreparedData,
    config: DataConfig,
    batch: BatchConfig,
    layout: LayoutConfig,
    dropout: HistoryDropout,
    *,
    seed: int,
    steps: int,
    start: int,
) -> DataLoader[Any]:
    """Batches for steps start … steps - 1."""
    dataset = S1Dataset(data.manifest("s1", "train"), layout, dropout=dropout, seed=seed)
    sampler = StepSampler(
        dataset.lengths,
        budget=batch.max_columns,
        max_batch=batch.max_sequences,
        seed=seed,
        steps=steps,
        start=start,
    )
    return DataLoader(
        dataset, batch_sampler=sampler, collate_fn=collate, num_workers=config.num_workers
    )


def valid_loader(data: PreparedData, batch: BatchConfig, layout: LayoutConfig) -> DataLoader[Any]:
    """Every validation target once, in order, with its full history."""
    dataset = S1Dataset(data.manifest("s1", "valid"), layout)
    return DataLoader(dataset, batch_size=min(8, batch.max_sequences), collate_fn=collate)
