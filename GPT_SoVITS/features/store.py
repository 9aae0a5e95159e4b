"""Feature shards: many small arrays in few files, read by memory map.

    features/index.jsonl            {"id", "shard", "shape", "dtype"} per array, in written order
    features/shard-00000.safetensors   arrays by id

A shard is written whole, then its index lines are added; a killed run loses at most the arrays
of the shard it was filling, and the next run continues where the index ends.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

INDEX = "index.jsonl"
MIB = 1 << 20


class FeatureStoreError(ValueError):
    """A feature folder that is missing, damaged or lacks an array; names the file and the fix."""


class FeatureWriter:
    """Appends arrays to a feature folder; a context manager, so that the last shard is written."""

    def __init__(self, folder: str | Path, *, shard_mib: float = 64.0) -> None:
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._limit = int(shard_mib * MIB)
        self._pending: dict[str, np.ndarray] = {}
        self._size = 0
        self._records = _read_index(self._folder) if (self._folder / INDEX).exists() else []
        self._ids = {record["id"] for record in self._records}

    def __contains__(self, item: str) -> bool:
        """Written before, in this run or an earlier one."""
        return item in self._ids or item in self._pending

    def add(self, item: str, array: np.ndarray) -> None:
        """Store one array (any shape) under its turn id, once; else `FeatureStoreError`."""
        if item in self:
            raise FeatureStoreError(f"{self._folder}: {item!r} is already stored")
        self._pending[item] = np.ascontiguousarray(array)
        self._size += array.nbytes
        if self._size >= self._limit:
            self.flush()

    def flush(self) -> None:
        """Write what was added as one shard, then its index."""
        if not self._pending:
            return
        from safetensors.numpy import save_file

        shard = f"shard-{len({r['shard'] for r in self._records}):05d}.safetensors"
        partial = self._folder / (shard + ".partial")
        save_file(self._pending, str(partial))
        os.replace(partial, self._folder / shard)
        self._records += [
            {"id": item, "shard": shard, "shape": list(x.shape), "dtype": str(x.dtype)}
            for item, x in self._pending.items()
        ]
        self._ids |= self._pending.keys()
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in self._records)
        partial = self._folder / (INDEX + ".partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, self._folder / INDEX)
        self._pending, self._size = {}, 0

    def __enter__(self) -> FeatureWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()  # also after an error: finished arrays are finished work


class FeatureStore(Mapping[str, np.ndarray]):
    """Arrays of a feature folder by turn id; may be pickled and used in data-loading workers."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._records = {record["id"]: record for record in _read_index(self.folder)}
        self._open: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __contains__(self, item: object) -> bool:
        return item in self._records

    def shape(self, item: str) -> tuple[int, ...]:
        """Shape of an array, from the index alone."""
        return tuple(self._record(item)["shape"])

    def __getitem__(self, item: str) -> np.ndarray:
        record = self._record(item)
        if record["shard"] not in self._open:
            self._open[record["shard"]] = self._open_shard(record["shard"])
        array: np.ndarray = self._open[record["shard"]].get_tensor(item)
        if list(array.shape) != record["shape"] or str(array.dtype) != record["dtype"]:
            raise FeatureStoreError(
                f"{self.folder / record['shard']}: {item!r} is {array.dtype}{list(array.shape)}, "
                f"the index says {record['dtype']}{record['shape']}; run the step again"
            )
        return array

    def _record(self, item: str) -> dict[str, Any]:
        try:
            return self._records[item]
        except KeyError:
            raise FeatureStoreError(f"{self.folder} has no features of {item!r}") from None

    def _open_shard(self, shard: str) -> Any:
        from safetensors import SafetensorError, safe_open

        try:
            return safe_open(str(self.folder / shard), framework="numpy")
        except (OSError, SafetensorError) as error:
            raise FeatureStoreError(f"{self.folder / shard}: {error}; run the step again") from None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # file handles do not travel between processes


def _read_index(folder: Path) -> list[dict[str, Any]]:
    path = folder / INDEX
    if not path.is_file():
        raise FeatureStoreError(f"{path} is missing; run `python -m prepare_datasets` first")
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            record = json.loads(line)
            shard, known = record["shard"], {"id", "shard", "shape", "dtype"} <= record.keys()
        except (json.JSONDecodeError, TypeError, KeyError, AttributeError):
            raise FeatureStoreError(f"{path}:{number}: not an index line") from None
        # A shard is a plain file of this folder, whatever the index says.
        if not known or not isinstance(shard, str) or Path(shard).name != shard:
            raise FeatureStoreError(f"{path}:{number}: not an index line")
        records.append(record)
    return records
