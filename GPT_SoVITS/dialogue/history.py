"""Which turns a response hears: window or growing history, and history dropout for training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Protocol

from GPT_SoVITS.dialogue.layout import (
    KEEP,
    EncodedTurn,
    LayoutConfig,
    LayoutError,
    Sequence_,
    build_sequence,
    user_of,
)


class _Sizes(Protocol):
    @property
    def phonemes(self) -> Sized: ...

    @property
    def codes(self) -> Sized: ...


def select_history(turns: Sequence[_Sizes], target_index: int, config: LayoutConfig) -> list[int]:
    """Places in ``turns`` that come before the target's, oldest first.

    Never reads ``turns[target_index]``: a session calls it with ``len(turns)``. In ``growing``
    mode the dialogue is replayed from its start, so that halving falls on the same turns always.

    Raises `LayoutError`.
    """
    if not 0 <= target_index <= len(turns):
        raise LayoutError(f"target {target_index} is outside a dialogue of {len(turns)} turns")
    if config.history_mode == "window":
        return list(range(max(0, target_index - config.history_turns), target_index))
    sizes = [len(t.phonemes) + len(t.codes) for t in turns[:target_index]]
    start = 0
    for end in range(1, target_index + 1):
        while end - start > 1 and sum(sizes[start:end]) > config.history_tokens:
            start += (end - start + 1) // 2
    return list(range(start, target_index))


def sequence_of(
    turns: Sequence[EncodedTurn],
    target_index: int,
    config: LayoutConfig,
    *,
    history: Sequence[EncodedTurn] | None = None,
    keep: str = "full",
    include_response_codes: bool = True,
) -> Sequence_:
    """The sequence of one turn of a dialogue, after its own history or the one given instead."""
    response = turns[target_index]
    if history is None:
        history = [turns[i] for i in select_history(turns, target_index, config)]
    return build_sequence(
        history,
        response,
        config,
        include_response_codes=include_response_codes,
        keep=keep,
        user=user_of([turn.speaker for turn in turns[:target_index]], response.speaker),
    )


@dataclass(frozen=True)
class HistoryDropout:
    """Probabilities of what training leaves of a history; they sum to one."""

    full: float = 0.7
    text: float = 0.1
    """Text only: the history's speech is dropped."""
    speech: float = 0.1
    """Speech only: the history's text is dropped."""
    none: float = 0.1

    def __post_init__(self) -> None:
        values = [getattr(self, name) for name in KEEP]
        if min(values) < 0 or abs(sum(values) - 1) > 1e-6:
            raise LayoutError(f"history dropout {values} must be 0 or more and sum to 1")


def drop_history(dropout: HistoryDropout, *, seed: int, epoch: int, sample_id: str) -> str:
    """What to keep of this sample's history in this epoch: the ``keep`` of build_sequence.

    Drawn from hash(seed, epoch, sample id): the same on every worker and after a resume.
    """
    digest = hashlib.blake2b(f"{seed}:{epoch}:{sample_id}".encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    for name in KEEP:
        draw -= getattr(dropout, name)
        if draw < 0:
            return name
    return KEEP[0]
