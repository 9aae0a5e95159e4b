"""Turns -> dialogues of two: cut where a third speaker comes in, kept where both say enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prepare_datasets.raw_recordings.stages import SpokenTurn


@dataclass(frozen=True)
class DialogueLimits:
    """What counts as a dialogue."""

    min_turns: int = 4
    """Of both together …"""
    min_per_speaker: int = 2
    """… and of each. (NCSSD's paper says 2, its code asks for 3.)"""
    max_silence: float = 4.0
    """Seconds between two turns of one dialogue."""


def dialogues(turns: Sequence[SpokenTurn], limits: DialogueLimits) -> list[list[SpokenTurn]]:
    """The longest stretches, from the left, in which two speakers speak.

    A B A B A C C A C A   ->   [A B A B A] [C A C A]: C begins anew, with what A says after it
    """
    found: list[list[SpokenTurn]] = []
    current: list[SpokenTurn] = []
    for turn in turns:
        speakers = {one.speaker for one in current} | {turn.speaker}
        silent = current and turn.region.start - current[-1].region.stop > limits.max_silence
        if len(speakers) > 2 or silent:
            found.append(current)
            current = []
        current.append(turn)
    found.append(current)
    return [dialogue for dialogue in found if _kept(dialogue, limits)]


def _kept(dialogue: Sequence[SpokenTurn], limits: DialogueLimits) -> bool:
    counts = Counter(turn.speaker for turn in dialogue)
    return (
        len(dialogue) >= limits.min_turns
        and len(counts) == 2
        and min(counts.values()) >= limits.min_per_speaker
    )


def first_speaker_is_zero(dialogue: Sequence[SpokenTurn]) -> list[int]:
    """Speaker numbers as NCSSD has them: 0 is who speaks first."""
    order = list(dict.fromkeys(turn.speaker for turn in dialogue))
    return [order.index(turn.speaker) for turn in dialogue]
