"""Manifests as rows: `.list`, JSONL, CSV and TSV, Hugging Face audio folders.

name.wav|speaker|EN|text            .list of GPT-SoVITS; name.wav|speaker|EN|text|dialogue too
{"audio", "text", "speaker", "language", "dialogue", "index", "role", "style"}   JSONL, CSV
name.wav<TAB>text                   a TSV without header: one recording a line, standing alone
<split>/metadata.csv                file_name and transcription (or text, sentence)
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prepare_datasets.errors import PrepareError
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.files import Walk
from prepare_datasets.readers.rows import Row
from prepare_datasets.readers.turn import STAGE, style_of

# As the Chinese tools around GPT-SoVITS head the column of recordings.
AUDIO_ZH = ("文件地址", "语音文件", "音频文件", "文件名")
# Ours <- the names other manifests use.
COLUMNS = {
    "audio": ("audio", "file_name", "audio_path", "wav", "path", "audio_file", *AUDIO_ZH),
    "text": ("text", "transcription", "transcript", "sentence", "原始文本", "文本"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "spk"),
    "language": ("language", "lang"),
    "dialogue": ("dialogue", "dialogue_id", "dialog", "conversation"),
    "index": ("index", "turn", "turn_id"),
    "role": ("role",),
}
TABLES = (".jsonl", ".csv", ".tsv")


def list_rows(path: Path, root: Path) -> Iterator[Row | Entry]:
    """Lines of a `.list`; text may hold `|` only where the line has no dialogue column."""
    for where, line in _lines(path, root):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) < 4:
            message = "a line needs wav|speaker|language|text"
            yield Entry(where, where, STAGE, "bad_row", message, len(fields), 4)
            continue
        wav, speaker, language, text = fields[:4]
        dialogue = fields[4] if len(fields) == 5 else None
        if len(fields) > 5:
            text = "|".join(fields[3:])
        yield Row(where, wav, text, speaker, language, dialogue)


def table_rows(path: Path, root: Path) -> Iterator[Row | Entry]:
    """Rows of a JSONL, CSV or TSV file; audio is relative to the manifest's folder."""
    below = path.parent.relative_to(root).as_posix()
    prefix = "" if below == "." else below + "/"
    for where, values in _values(path, root):
        if isinstance(values, Entry):
            yield values
            continue
        found = {ours: _first(values, names) for ours, names in COLUMNS.items()}
        if found["audio"] is None or found["text"] is None:
            message = f"a row needs audio and text; it has {', '.join(map(str, values))}"
            yield Entry(where, where, STAGE, "bad_row", message)
            continue
        index = found["index"]
        if index is not None and not str(index).isdecimal():
            message = "the turn's number is no whole number"
            yield Entry(where, where, STAGE, "bad_row", message, str(index))
            continue
        yield Row(
            where=where,
            audio=prefix + str(found["audio"]),
            text=str(found["text"]),
            speaker=str(found["speaker"] if found["speaker"] is not None else 0),
            language=str(found["language"] or ""),
            dialogue=None if found["dialogue"] is None else str(found["dialogue"]),
            index=None if index is None else int(index),
            role=found["role"],
            style=style_of(dict(values)),
        )


def folder_rows(root: Path) -> Iterator[Row | Entry]:
    """Rows of every metadata.csv and metadata.jsonl of a Hugging Face audio folder.

    Raises `PrepareError`.
    """
    seen = False
    for place in Walk(root):
        if isinstance(place, Entry):
            continue
        folder, names = place
        for name in names:
            if name.lower() in ("metadata.csv", "metadata.jsonl"):
                seen = True
                yield from table_rows(folder / name, root)
    if not seen:
        raise PrepareError(f"{root} has no metadata.csv or metadata.jsonl; is it an audio folder?")


def find_manifest(root: Path, name: str | None, suffixes: tuple[str, ...]) -> Path:
    """The manifest asked for, or the only file with such a suffix in the raw folder.

    Raises `PrepareError`.
    """
    if name is not None:
        path = root / name
        if not path.is_file():
            raise PrepareError(f"there is no manifest {path} (source.manifest)")
        return path
    found = [p for p in sorted(root.iterdir()) if p.suffix.lower() in suffixes and p.is_file()]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise PrepareError(f"{root}: which manifest? set source.manifest; there is {names}")
    return found[0]


def _lines(path: Path, root: Path) -> Iterator[tuple[str, str]]:
    name = path.relative_to(root).as_posix()
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{name}:{number}", line.rstrip("\n")


def _values(path: Path, root: Path) -> Iterator[tuple[str, Mapping[str, Any] | Entry]]:
    name = path.relative_to(root).as_posix()
    if path.suffix.lower() == ".jsonl":
        for where, line in _lines(path, root):
            try:
                value = json.loads(line)
            except ValueError as error:
                yield where, Entry(where, where, STAGE, "bad_row", f"not JSON: {error}")
                continue
            yield where, value if isinstance(value, dict) else {"value": value}
        return
    tabs = path.suffix.lower() == ".tsv"
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_MINIMAL)
        names = next(rows, [])
        if tabs and not any(names[:1] == [known] for known in COLUMNS["audio"]):
            yield f"{name}:1", dict(zip(("audio", "text"), names))
            names = ["audio", "text"]
        for fields in rows:
            where = f"{name}:{rows.line_num}"
            if len(fields) > len(names):
                message = "more fields than the header; quote fields that hold a separator"
                yield where, Entry(where, where, STAGE, "bad_row", message, len(fields), len(names))
            elif fields:
                yield where, dict(zip(names, fields))


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if values.get(name) not in (None, ""):
            return values[name]
    # An empty transcript is a transcript; the turn is quarantined by name.
    return "" if any(name in values for name in names) and names[0] == "text" else None
