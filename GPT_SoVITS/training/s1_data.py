"""Stage 1 data: dialogue lines of the manifest become sequences of the shared layout."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
from GPT_SoVITS.dialogue.layout import IGNORE, Columns, EncodedTurn, LayoutConfig
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.training.config import ConfigError, DataConfig
from GPT_SoVITS.training.loaders import Labels, pass_loader, step_loader
from GPT_SoVITS.training.prepared import line_offsets, read_line
from GPT_SoVITS.training.samplers import StepPlan


@dataclass(frozen=True)
class BatchConfig:
    """Size of a stage 1 batch."""

    max_columns: int = 4096
    """Longest sequence x sequences in a batch, padding included."""
    max_sequences: int = 16
    """Sequences in a batch, at most."""

    def __post_init__(self) -> None:
        for name in ("max_columns", "max_sequences"):
            if getattr(self, name) < 1:
                raise ConfigError(f"batch.{name} is {getattr(self, name)}; use 1 or more")


class S1Dataset(Dataset[Any]):
    """One item per target turn; items are read by offset, nothing is held in memory."""

    def __init__(
        self,
        manifest: Path,
        layout: LayoutConfig,
        *,
        dropout: HistoryDropout | None = None,
        bert: Mapping[str, np.ndarray] | None = None,
        seed: int = 0,
    ) -> None:
        self.manifest, self.layout, self.dropout, self.seed = manifest, layout, dropout, seed
        self.bert = {} if bert is None else bert
        items, sizes = [], []
        self.ids: list[str] = []
        self.speakers: list[str] = []
        """Who says the response of every sample."""
        for offset in line_offsets(manifest).tolist():
            record = read_line(manifest, offset)
            turns = encoded_turns(record)
            for target in record["targets"]:
                past = [turns[i] for i in select_history(turns, target, layout)]
                own = len(turns[target].phonemes) + len(turns[target].codes)
                items.append((offset, target))
                text = sum(len(turn.phonemes) for turn in past)
                sizes.append((own, text, sum(len(turn.codes) for turn in past)))
                self.ids.append(record["turns"][target]["id"])
                self.speakers.append(record["turns"][target]["speaker"])
        self.items = np.asarray(items, dtype=np.int64).reshape(-1, 2)
        self.sizes = np.asarray(sizes, dtype=np.int64).reshape(-1, 3)
        """Columns (n, 3) of the response, of the history's text and of its speech."""

    def __len__(self) -> int:
        return len(self.items)

    def keep(self, epoch: int, sample_id: str) -> str:
        """What history dropout leaves of a sample's history in an epoch."""
        if self.dropout is None:
            return "full"
        return drop_history(self.dropout, seed=self.seed, epoch=epoch, sample_id=sample_id)

    def lengths(self, epoch: int) -> np.ndarray:
        """Columns (n,) of every sample in an epoch; `all_turns` hides dropped columns instead."""
        if self.dropout is None or self.layout.loss_on == "all_turns":
            values: np.ndarray = self.sizes.sum(axis=1)
            return values
        kept = [
            (True, k in ("full", "text"), k in ("full", "speech"))
            for k in (self.keep(epoch, i) for i in self.ids)
        ]
        left: np.ndarray = (self.sizes * np.asarray(kept)).sum(axis=1)
        return left

    def __getitem__(self, key: tuple[int, int] | int) -> Columns:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        place = index if index >= 0 else -1 - index
        offset, target = self.items[place].tolist()
        turns = encoded_turns(read_line(self.manifest, offset), self.bert)
        keep = self.keep(epoch, self.ids[place])
        columns = sequence_of(turns, target, self.layout, keep=keep).columns()
        if index >= 0:
            return columns
        return dataclasses.replace(columns, target=np.full_like(columns.target, IGNORE))


def encoded_turns(
    record: dict[str, Any], bert: Mapping[str, np.ndarray] | None = None
) -> list[EncodedTurn]:
    """Turns of one manifest line as numbers; BERT features (X, 1024) by turn id where given."""
    bert = bert or {}
    return [
        EncodedTurn(
            speaker=turn["speaker"],
            phonemes=np.asarray(turn["phonemes"], dtype=np.int64),
            codes=np.asarray(turn["codes"], dtype=np.int64),
            bert=bert[turn["id"]] if turn["id"] in bert else None,
            turn=turn["index"],
        )
        for turn in record["turns"]
    ]


def train_loader(
    dataset: S1Dataset,
    config: DataConfig,
    batch: BatchConfig,
    plan: StepPlan,
    *,
    labels: Labels | None = None,
) -> DataLoader[Any]:
    """Batches for the plan's steps."""
    return step_loader(
        dataset,
        collate,
        plan,
        lengths=dataset.lengths,
        budget=batch.max_columns,
        max_batch=batch.max_sequences,
        workers=config.num_workers,
        labels=labels,
    )


def valid_loader(
    dataset: S1Dataset, batch: BatchConfig, *, labels: Labels | None = None
) -> DataLoader[Any]:
    """Every validation target once, in order, with its full history."""
    return pass_loader(dataset, collate, size=min(8, batch.max_sequences), labels=labels)
