"""Which dialogues validate, and where a dialogue with missing turns is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import Record

Gaps = Literal["cut", "keep", "drop"]


@dataclass(frozen=True)
class SplitConfig:
    """Training and validation, split by dialogue, never by turn."""

    valid: float = 0.1
    """Share of dialogues kept for validation; 0: none."""
    seed: int = 0
    """Another seed, another choice. A dialogue's place depends on its id alone."""
    valid_is_train: bool = False
    """Validate on the training dialogues: for overfitting tests, stated in meta.json."""

    def __post_init__(self) -> None:
        if not 0 <= self.valid < 1:
            raise ValueError(f"split.valid is {self.valid}; it must be at least 0 and below 1")
        if self.valid_is_train and self.valid:
            raise ValueError("split.valid_is_train needs split.valid 0")


def place(dialogue: str, seed: int) -> float:
    """A number in [0, 1) from a dialogue's id."""
    digest = hashlib.sha256(f"{seed}/{dialogue}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def valid_dialogues(dialogues: Iterable[str], config: SplitConfig) -> set[str]:
    """Ids of the dialogues that validate; at least one if any shall and two exist."""
    ranked = sorted(set(dialogues), key=lambda dialogue: place(dialogue, config.seed))
    if config.valid == 0:
        return set()
    chosen = {dialogue for dialogue in ranked if place(dialogue, config.seed) < config.valid}
    if not chosen and len(ranked) > 1:
        return {ranked[0]}
    return chosen


def group(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Dialogue -> its turns in order."""
    dialogues: dict[str, list[Record]] = {}
    for record in records:
        dialogues.setdefault(record["dialogue"], []).append(record)
    return {name: sorted(turns, key=lambda t: t["index"]) for name, turns in dialogues.items()}


T = TypeVar("T", bound=Record)


def runs(turns: Sequence[T], gaps: Gaps) -> tuple[list[list[T]], list[Entry]]:
    """Turns of one dialogue -> stretches in which history may reach back, and what was dropped.

    turns 0 1 _ 3 4    cut:  [0 1] [3 4]    keep: [0 1 3 4]    drop: [0 1]
    """
    if gaps == "keep":
        return ([list(turns)] if turns else []), []
    stretches: list[list[T]] = []
    for turn in turns:
        if stretches and turn["index"] == stretches[-1][-1]["index"] + 1:
            stretches[-1].append(turn)
        else:
            stretches.append([turn])
    if gaps == "cut":
        return stretches, []
    dropped = [
        Entry(
            id=turn["id"],
            path=turn.get("audio") or "",
            stage="step5_sequences",
            code="after_gap",
            message="a turn before it is missing and `gaps` is drop",
            action="dropped",
        )
        for stretch in stretches[1:]
        for turn in stretch
    ]
    return stretches[:1], dropped
