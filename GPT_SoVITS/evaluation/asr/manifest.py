"""A manifest of recordings and what is said in them, in three forms, whole or not at all.

.jsonl   {"audio": "7/1.wav", "text": "Hello.", "speaker": "anna", "language": "en"}
.csv     the same columns, with a header
.list    7/1.wav|anna|EN|Hello.          (GPT-SoVITS)
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from GPT_SoVITS.atomic import write_text

COLUMNS = ("audio", "text", "speaker", "language")
FORMS = (".jsonl", ".csv", ".list")


@dataclass(frozen=True)
class ManifestRow:
    """One recording."""

    audio: str
    """Relative to the manifest's folder where it lies below it, else absolute."""
    text: str
    speaker: str
    language: str

    def __post_init__(self) -> None:
        if any(mark in self.audio + self.speaker for mark in "|\n\r") or not self.audio:
            raise ValueError(f"{self.audio!r}: a manifest holds neither | nor line breaks; rename")

    @staticmethod
    def name(path: Path, manifest: Path) -> str:
        """How a manifest names a recording."""
        folder, place = manifest.resolve().parent, path.resolve()
        inside = place.is_relative_to(folder)
        return place.relative_to(folder).as_posix() if inside else str(place)


@dataclass(frozen=True)
class Failure:
    """A recording without a row."""

    audio: str
    code: str
    message: str


def read_manifest(path: Path) -> list[ManifestRow]:
    """Its rows; none where there is no file. Raises ValueError for another form."""
    form = _form(path)
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8-sig")
    if form == ".csv":
        return [_row(values, path) for values in csv.DictReader(StringIO(text, newline=""))]
    lines = [line for line in text.splitlines() if line.strip()]
    if form == ".jsonl":
        return [_row(json.loads(line), path) for line in lines]
    fields = [line.split("|", 3) for line in lines]
    if any(len(one) != 4 for one in fields):
        raise ValueError(f"{path}: a line needs audio|speaker|language|text")
    return [ManifestRow(a, text, speaker, lang.lower()) for a, speaker, lang, text in fields]


def write_manifest(path: Path, rows: Iterable[ManifestRow]) -> None:
    """Rows in the order of their recordings."""
    form, kept = _form(path), sorted(rows, key=lambda row: row.audio)
    if form == ".csv":
        text = StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in kept)
        write_text(path, text.getvalue())
    elif form == ".jsonl":
        write_text(path, _lines(asdict(row) for row in kept))
    else:
        lines = (f"{r.audio}|{r.speaker}|{r.language.upper()}|{r.text}\n" for r in kept)
        write_text(path, "".join(lines))


def correct_row(path: Path, audio: str, text: str) -> None:
    """Another text for one recording. Raises ValueError where the manifest has no such row."""
    rows = read_manifest(path)
    if audio not in {row.audio for row in rows} or not text.strip():
        raise ValueError(f"{path.name}: give a text for one of its recordings, not for {audio!r}")
    said = " ".join(text.split())
    changed = (ManifestRow(r.audio, said, r.speaker, r.language) for r in rows if r.audio == audio)
    write_manifest(path, [*(r for r in rows if r.audio != audio), *changed])


def ledger_of(path: Path) -> Path:
    """Where the recordings without a row are listed."""
    return path.with_suffix(".ledger.jsonl")


def write_ledger(path: Path, failures: Iterable[Failure]) -> None:
    """The recordings of a manifest that have no row."""
    write_text(ledger_of(path), _lines(asdict(failure) for failure in failures))


def _form(path: Path) -> str:
    if path.suffix not in FORMS or path.name.endswith(".ledger.jsonl"):
        raise ValueError(f"{path.name}: a manifest ends with one of {', '.join(FORMS)}")
    return path.suffix


def _row(values: dict[str, Any], path: Path) -> ManifestRow:
    missing = [name for name in ("audio", "text") if not values.get(name)]
    if missing:
        raise ValueError(f"{path}: a row without {' and '.join(missing)}: {values}")
    speaker, language = values.get("speaker") or "", values.get("language") or "auto"
    return ManifestRow(values["audio"], values["text"], speaker, language)


def _lines(values: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in values)
