"""Reader and writer of the prepared sequences: ``5_sequences/{s1,s2}_{train,valid}.jsonl``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.atomic import replacing
from GPT_SoVITS.dialogue.layout import EncodedTurn

SCHEMA_VERSION = 1


class ManifestError(ValueError):
    """A manifest line that cannot be used; the message names file, line and value."""


@dataclass(frozen=True)
class TurnRecord:
    """One turn of a dialogue line."""

    id: str
    index: int
    speaker: str
    language: str
    text: str
    phonemes: tuple[int, ...]
    codes: tuple[int, ...]
    seconds: float
    style: Mapping[str, Any] | None = None

    def encoded(self, bert: np.ndarray | None = None) -> EncodedTurn:
        """As numbers; ``bert`` (X, 1024) where the corpus has it."""
        phonemes, codes = np.array(self.phonemes, np.int64), np.array(self.codes, np.int64)
        return EncodedTurn(self.speaker, phonemes, codes, bert, self.index)


@dataclass(frozen=True)
class S1Record:
    """One dialogue: all turns, and the places in ``turns`` that are targets."""

    dialogue: str
    turns: tuple[TurnRecord, ...]
    targets: tuple[int, ...]
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class S2Record:
    """One turn for stage 2; ``audio`` is relative to the data folder."""

    id: str
    dialogue: str
    index: int
    speaker: str
    language: str
    phonemes: tuple[int, ...]
    codes: tuple[int, ...]
    audio: str
    n_frames: int
    history: tuple[str, ...] = field(default=())
    schema_version: int = SCHEMA_VERSION


def write_records(path: str | Path, records: Iterable[S1Record | S2Record]) -> int:
    """Write one line per record, atomically; returns how many."""
    path = Path(path)
    count = 0
    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for record in records:
            values = asdict(record)
            for turn in values.get("turns", ()):
                if turn["style"] is None:
                    del turn["style"]
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def read_s1(path: str | Path) -> Iterator[S1Record]:
    """Dialogues of ``s1_*.jsonl``, one at a time. Raises `ManifestError`."""
    for where, values in _lines(path):
        try:
            turns = tuple(
                TurnRecord(**{**t, "phonemes": tuple(t["phonemes"]), "codes": tuple(t["codes"])})
                for t in values.pop("turns")
            )
            targets = tuple(values.pop("targets"))
            record = S1Record(turns=turns, targets=targets, **values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"{where}: not a dialogue line of schema 1: {error}") from None
        for target in targets:
            if not 0 <= target < len(turns):
                raise ManifestError(f"{where}: target {target} is outside its {len(turns)} turns")
        yield record


def read_s2(path: str | Path) -> Iterator[S2Record]:
    """Turns of ``s2_*.jsonl``, one at a time. Raises `ManifestError`."""
    for where, values in _lines(path):
        try:
            lists = {n: tuple(values[n]) for n in ("phonemes", "codes", "history")}
            record = S2Record(**{**values, **lists})
        except (KeyError, TypeError) as error:
            raise ManifestError(f"{where}: not a turn line of schema 1: {error}") from None
        yield record


def _lines(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    path = Path(path)
    if not path.is_file():
        raise ManifestError(
            f"{path} does not exist; run `python -m prepare_datasets --config … --steps 5` first"
        )
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                values = json.loads(line)
            except json.JSONDecodeError as error:
                raise ManifestError(f"{where}: not JSON: {error}") from None
            if not isinstance(values, dict):
                raise ManifestError(f"{where}: must be an object")
            if values.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
                raise ManifestError(f"{where}: schema_version {values['schema_version']!r}")
            yield where, values
