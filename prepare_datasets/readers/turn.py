"""What every reader yields."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from prepare_datasets.ledger import Entry


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

    def as_json(self) -> dict[str, Any]:
        """A line of `1_dialogues/turns.jsonl`; what the corpus does not have is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass
class Found:
    """Everything a reader saw: good turns, and why others are not."""

    turns: list[RawTurn] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    """Turn id -> fingerprint of the files it came from."""

    @property
    def count(self) -> int:
        """Turns that came in, usable or not."""
        return len(self.turns) + sum(entry.leaves_out for entry in self.entries)
