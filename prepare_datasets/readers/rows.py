"""Rows of a manifest, in any order -> turns, dialogue by dialogue, in order.

The rows wait in a database file that the system removes by itself; memory does not grow with them.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from GPT_SoVITS.dialogue import LANGUAGES
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.files import usable_id
from prepare_datasets.readers.turn import STAGE, Piece, RawTurn, origin_of
from prepare_datasets.source import SourceConfig

TABLE = """
create table rows (dialogue text, place integer, row text);
create table dialogues (name text primary key, first integer) without rowid;
"""
IN_ORDER = """
select rows.place, rows.row from rows join dialogues on name = dialogue
order by first, rows.place, rows.rowid
"""


@dataclass(frozen=True)
class Row:
    """One line of a manifest."""

    where: str
    """manifest:line, for the ledger."""
    audio: str
    """As the manifest names it."""
    text: str
    speaker: str = "0"
    language: str = ""
    dialogue: str | None = None
    """None: the recording stands alone (single-utterance lists)."""
    index: int | None = None
    """None: the next of its dialogue."""
    role: str | None = None
    style: dict[str, Any] | None = None


def turns_of(rows: Iterable[Row | Entry], root: Path, source: SourceConfig) -> Iterator[Piece]:
    """Turns of all rows; dialogues in the order in which they first appear."""
    base = sqlite3.connect("")
    base.executescript(TABLE)
    counts: dict[str, int] = {}  # of the dialogue at hand: rows without a number come together
    for number, row in enumerate(rows):
        if isinstance(row, Entry):
            yield row
            continue
        if not _is_text(f"{row.audio}{row.text}{row.speaker}{row.dialogue}"):
            message = "not valid UTF-8; convert the manifest"
            yield Entry(row.where, row.where, STAGE, "wrong_encoding", message)
            continue
        dialogue = _alone(row.audio) if row.dialogue is None else row.dialogue
        if row.index is None and dialogue not in counts:
            counts = {dialogue: 0}
        place = row.index
        if place is None:
            place, counts[dialogue] = counts[dialogue], counts[dialogue] + 1
        line = json.dumps(asdict(row) | {"dialogue": dialogue, "index": place})
        base.execute("insert or ignore into dialogues values (?, ?)", (dialogue, number))
        base.execute("insert into rows values (?, ?, ?)", (dialogue, place, line))
    waiting: list[Row] = []
    for _, line in base.execute(IN_ORDER):
        row = Row(**json.loads(line))
        if waiting and (row.dialogue, row.index) != (waiting[0].dialogue, waiting[0].index):
            yield from _place(waiting, root, source)
            waiting = []
        waiting.append(row)
    yield from _place(waiting, root, source)
    base.close()


def _place(rows: list[Row], root: Path, source: SourceConfig) -> Iterator[Piece]:
    """Rows that claim one place of a dialogue: a turn, or entries for all of them."""
    for row in rows:
        if len(rows) > 1:
            message = "several rows claim this place in the dialogue; keep one"
            yield Entry(row.where, row.audio, STAGE, "duplicate_turn", message, row.index)
        else:
            yield _turn(row, root, source)


def _turn(row: Row, root: Path, source: SourceConfig) -> Piece:
    assert row.dialogue is not None and row.index is not None
    id_ = f"{source.corpus}/{row.dialogue}/{row.index}"
    if not usable_id(row.dialogue):
        message = "this dialogue name cannot be part of an id"
        return Entry(row.where, row.where, STAGE, "bad_name", message, row.dialogue)
    audio = find_audio(row.audio, root)
    if audio is None:
        message = "no such recording below the raw folder"
        return Entry(id_, row.where, STAGE, "missing_audio", message, row.audio)
    text = " ".join(row.text.split())
    if not text:
        return Entry(id_, row.where, STAGE, "empty_transcript", "the transcript is empty")
    speaker = row.speaker if source.speakers == "global" else f"{row.dialogue}/{row.speaker}"
    return RawTurn(
        id=id_,
        dialogue=f"{source.corpus}/{row.dialogue}",
        index=row.index,
        speaker=f"{source.corpus}/{speaker}",
        text=text,
        language=_language(row.language, source),
        audio=audio,
        role=row.role if row.role in ("agent", "user") else None,
        style=row.style,
        origin=origin_of(root / audio),
    )


def find_audio(name: str, root: Path) -> str | None:
    """A manifest's path as POSIX below `root`: as it stands, without drive, or the bare name.

    GPT-SoVITS writes absolute paths of the machine the list was made on, Windows ones included.
    Nothing above `root` is ever found.
    """
    posix = re.sub(r"^[A-Za-z]:", "", name.strip()).replace("\\", "/")
    if posix.startswith(root.as_posix() + "/"):
        posix = posix[len(root.as_posix()) + 1 :]
    for candidate in (posix.lstrip("/"), PurePosixPath(posix).name):
        inside = candidate and ".." not in PurePosixPath(candidate).parts
        if inside and "\0" not in candidate and (root / candidate).is_file():
            return PurePosixPath(candidate).as_posix()
    return None


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _alone(audio: str) -> str:
    """Dialogue id of a recording that stands alone: its path without suffix."""
    posix = re.sub(r"^[A-Za-z]:", "", audio).replace("\\", "/").lstrip("/")
    return str(PurePosixPath(posix).with_suffix("")) if posix else "unnamed"


def _language(stated: str, source: SourceConfig) -> str:
    known = {code: code for code in LANGUAGES if code != "auto"}
    known |= {"english": "en", "chinese": "zh", "all_zh": "zh"}
    return known.get(stated.strip().lower(), source.language)
