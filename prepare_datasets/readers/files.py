"""Walking a corpus folder and taking turn names and transcripts apart, without globbing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

AUDIO = {".wav", ".flac"}
TRANSCRIPTS = (".txt", ".lab")
TURN_NAME = re.compile(r"(?P<turn>\d+)_(?P<speaker>.+)_d(?P<dialogue>[^_].*)")


@dataclass(frozen=True)
class TurnName:
    """`<turn>_<speaker>_d<dialogue>` taken apart."""

    turn: int
    speaker: str
    dialogue: str


def parse_turn_name(stem: str) -> TurnName | None:
    """`3_12_d400` -> turn 3, speaker 12, dialogue 400; None where the name has another form."""
    match = TURN_NAME.fullmatch(stem)
    if match is None:
        return None
    return TurnName(int(match["turn"]), match["speaker"], match["dialogue"])


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorting key in which d2 comes before d10."""
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder once with its file names, in natural order; links to folders are not followed."""
    for folder, folders, files in os.walk(root, followlinks=False):
        folders.sort(key=natural)
        yield Path(folder), sorted(files, key=natural)


class TranscriptError(ValueError):
    """A transcript whose bytes are not text we can be sure of; says which encoding was tried."""


def decode_transcript(data: bytes) -> tuple[str, str]:
    """-> (text on one line, encoding). UTF-8 first, then GB18030, which NCSSD's C-ZH files use."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TranscriptError("it looks like UTF-16; convert it to UTF-8")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # GB18030 accepts nearly everything: only take it where it yields ordinary characters.
        if encoding == "gb18030" and re.search(
            r"[^\x09-\x0d\x20-\x7e\u2010-\u2027\u3000-\u303f"
            r"\u4e00-\u9fff\uff01-\uff5e]",
            text,
        ):
            continue
        return " ".join(text.split()), encoding
    raise TranscriptError("it is neither UTF-8 nor GB18030")
