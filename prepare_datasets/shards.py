"""Features of some turns in one file, read by name without an index of the corpus.

shard-<mark>.safetensors    "<turn id>" (F, D) 50 Hz features
                            "summary/<turn id>" (2 D,) their mean and spread
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import Record

SUMMARY = "summary/"
SAFETENSORS_WRITING = ".tmp"
"""What safetensors calls the file it is writing, beside the one asked for."""


def write_shard(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a shard of arrays (any shape) completely or not at all."""
    from safetensors.numpy import save_file

    # safetensors ignores strides
    stored = {name: np.ascontiguousarray(x) for name, x in arrays.items()}
    stored |= {SUMMARY + name: summary(x) for name, x in arrays.items()}
    partial = path.with_name(f".{path.name}.partial")
    save_file(stored, str(partial))
    partial.replace(path)


def summary(features: np.ndarray) -> np.ndarray:
    """(F, D) -> (2 D,): what a turn sounds like as a whole."""
    values = np.concatenate([features.mean(axis=0), features.std(axis=0)])
    return values.astype(np.float32)


class Shards:
    """Arrays of a feature folder; keeps the shard read last open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._name = ""
        self._file: Any = None

    def read(self, shard: str, name: str) -> np.ndarray:
        """One array (any shape) of one shard. Raises `PrepareError`."""
        from safetensors import SafetensorError, safe_open

        try:
            if shard != self._name:
                self._file = safe_open(str(self.folder / shard), framework="numpy")
                self._name = shard
            values: np.ndarray = self._file.get_tensor(name)
            return values
        except (OSError, SafetensorError) as error:
            raise PrepareError(f"{self.folder / shard}: {error}; run --steps 3 again") from None


class Sample(Mapping[str, np.ndarray]):
    """Features of chosen turns by id, as fitting reads them."""

    def __init__(self, folder: Path, index: Iterable[Record]) -> None:
        self._shards = Shards(folder)
        self._index = {record["id"]: record for record in index}

    def __getitem__(self, turn: str) -> np.ndarray:
        return self._shards.read(self._index[turn]["shard"], turn)

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def shape(self, turn: str) -> tuple[Any, ...]:
        """Shape of an array, from the index alone."""
        return tuple(self._index[turn]["shape"])
