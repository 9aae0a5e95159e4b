"""Which dialogues validate, and where a dialogue with missing turns is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from prepare_datasets.jsonl import Record
from prepare_datasets.ledger import Entry

Gaps = Literal["cut", "keep", "drop"]


@dataclass(frozen=True)
class SplitConfig:
    """Training and validation, split by dialogue, never by turn."""

    valid: float = 0.1
    """Share of dialogues (or speakers) kept for validation; 0: none."""
    by: Literal["dialogue", "speaker"] = "dialogue"
    """speaker: a dialogue validates if one of its speakers was chosen to; no training dialogue
    has that voice then."""
    seed: int = 0
    """Another seed, another choice. A dialogue's place depends on its id alone."""
    valid_is_train: bool = False
    """Validate on the training dialogues: for overfitting tests, stated in meta.json."""

    def __post_init__(self) -> None:
        if not 0 <= self.valid < 1:
            raise ValueError(f"split.valid is {self.valid}; it must be at least 0 and below 1")
        if self.valid_is_train and self.valid:
            raise ValueError("split.valid_is_train needs split.valid 0")


def place(name: str, seed: int) -> float:
    """A number in [0, 1) from a dialogue's or speaker's id."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


class Split:
    """Says of a dialogue whether it validates, from names and the seed alone.

    Where chance would choose nobody, the one whose place comes first validates, and where it would
    choose everybody, the one whose place comes last trains; for that all dialogues pass by once,
    and a few names are remembered.
    """

    def __init__(self, dialogues: Iterable[Sequence[Record]], config: SplitConfig) -> None:
        self._config = config
        first: tuple[float, str] | None = None
        last: tuple[float, str] | None = None
        several = chosen = spared = False
        for turns in dialogues:
            for name in self._names(turns):
                ranked = (place(name, config.seed), name)
                several |= first is not None and ranked != first
                first = ranked if first is None else min(first, ranked)
                last = ranked if last is None else max(last, ranked)
                chosen |= ranked[0] < config.valid
                spared |= ranked[0] >= config.valid
        lonely = config.valid > 0 and not chosen and several and first is not None
        self._instead = first[1] if lonely and first is not None else None
        crowded = config.valid > 0 and not spared and last is not None
        self._spared = last[1] if crowded and last is not None else None

    def is_valid(self, turns: Sequence[Record]) -> bool:
        """Whether the dialogue with these turns validates."""
        names = self._names(turns)
        if self._instead is not None:
            return self._instead in names
        if self._spared is not None:
            return names != {self._spared}
        return any(place(name, self._config.seed) < self._config.valid for name in names)

    def _names(self, turns: Sequence[Record]) -> set[str]:
        if self._config.by == "speaker":
            return {turn["speaker"] for turn in turns}
        return {turns[0]["dialogue"]}


def by_dialogue(records: Iterable[Record]) -> Iterator[list[Record]]:
    """A stream in which dialogues come whole and in order -> the turns of one after the other."""
    for _, turns in groupby(records, key=lambda record: record["dialogue"]):
        yield list(turns)


def runs(turns: Sequence[Record], gaps: Gaps) -> tuple[list[list[Record]], list[Entry]]:
    """Turns of one dialogue -> stretches in which history may reach back, and what was dropped.

    turns 0 1 _ 3 4    cut:  [0 1] [3 4]    keep: [0 1 3 4]    drop: [0 1]
    """
    if gaps == "keep":
        return ([list(turns)] if turns else []), []
    stretches: list[list[Record]] = []
    for turn in turns:
        if stretches and turn["index"] == stretches[-1][-1]["index"] + 1:
            stretches[-1].append(turn)
        else:
            stretches.append([turn])
    if gaps == "cut":
        return stretches, []
    return stretches[:1], [_after_gap(turn) for stretch in stretches[1:] for turn in stretch]


def titled(turns: Sequence[Record], gaps: Gaps) -> list[tuple[str, list[Record]]]:
    """Stretches of one dialogue with their names: the dialogue's, then `<dialogue>#<turn>`."""
    name = turns[0]["dialogue"]
    return [
        (f"{name}#{stretch[0]['index']}" if number else name, stretch)
        for number, stretch in enumerate(runs(turns, gaps)[0])
    ]


def _after_gap(turn: Record) -> Entry:
    return Entry(
        id=turn["id"],
        path=turn.get("audio") or "",
        stage="step5_sequences",
        code="after_gap",
        message="a turn before it is missing and `gaps` is drop",
        action="dropped",
    )
