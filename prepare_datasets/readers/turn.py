"""What every reader yields: turns, and an entry for whatever is no usable turn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prepare_datasets.jsonl import fingerprint
from prepare_datasets.ledger import Entry

STAGE = "step1_dialogues"
Part = tuple[str, float, float | None]
"""A stretch of a recording: path, from second, to second (None: its end)."""


@dataclass(frozen=True)
class RawTurn:
    """One turn as a corpus has it. Paths are POSIX and relative to the raw folder."""

    id: str
    """corpus/dialogue/turn"""
    dialogue: str
    """corpus/dialogue"""
    index: int
    """Place in the dialogue; missing turns leave a gap."""
    speaker: str
    """corpus/speaker, the same person across dialogues where the corpus says so."""
    text: str
    language: str
    """en, zh or auto."""
    audio: str
    role: str | None = None
    """agent or user, where the corpus says so."""
    style: dict[str, Any] | None = None
    """Labels the corpus has: emotion, or the demo corpus's style."""
    phonemes: tuple[str, ...] | None = None
    """Imported phonemes; the text frontend is not asked then."""
    features: str | None = None
    """Imported content features (1, D, T50)."""
    codes: tuple[int, ...] | None = None
    """Imported semantic tokens, 25 per second."""
    parts: tuple[Part, ...] | None = None
    """Where the turn's sound lies when it is not all of `audio` (corrections by hand)."""
    origin: str = ""
    """Fingerprint of the recording's file: changes when the file does."""

    def as_json(self) -> dict[str, Any]:
        """A line of `1_dialogues/turns.jsonl`; what the corpus does not have is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


Piece = RawTurn | Entry


def notice(path: str, code: str, message: str) -> Entry:
    """Written down, but leaves no turn out."""
    return Entry(path, path, STAGE, code, message, action="notice")


def origin_of(path: Path) -> str:
    """Size and time of change; reading all of a corpus to see whether it changed would be slow."""
    state = path.stat()
    return fingerprint(state.st_size, state.st_mtime_ns)


def style_of(values: dict[str, Any], label: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Style or emotion of a turn's metadata as one label; DailyTalk's "no emotion" is "none"."""
    if isinstance(values.get("style"), dict):
        fields: dict[str, Any] | None = values["style"]
        return fields
    emotion = values.get("style") or values.get("emotion") or (label or {}).get("emotion")
    if not isinstance(emotion, str) or not emotion:
        return None
    return {"name": "none" if emotion == "no emotion" else emotion}
