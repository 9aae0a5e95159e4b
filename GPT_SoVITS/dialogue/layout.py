"""THE sequence format of stage 1: one line of code for training and for inference.

A sequence is a list of segments, oldest turn first, the response r last:

    interleaved   [text 1][speech 1][text 2][speech 2] … [text r][speech r]
    grouped       [text 1  text 2 … text r][speech 1  speech 2 … speech r]

    column        0   1   2 | 3   4   5   6 | 7   8 | 9   10  11
    ids           p   p   p | c   c   c   c | p   p | c   c   c       p phoneme, c semantic token
    segment       0   0   0 | 1   1   1   1 | 2   2 | 3   3   3
    position      0   1   2 | 0   1   2   3 | 0   1 | 0   1   2       restarts in every segment
    turn          4   4   4 | 4   4   4   4 | 5   5 | 5   5   5       index in the dialogue
    target        .   .   . | .   .   .   . | .   c9| c10 c11 EOS     loss_on: response
                  .   .   c3| c4  c5  c6 EOS| .   c9| c10 c11 EOS     loss_on: all_turns

EOS is a target only, never an input. `block_causal` lets a column see every earlier segment, its
whole own segment if that is text, and its own segment up to itself if that is speech:

    t t t|s s|t t          `causal` is the lower triangle.
  t x x x|. .|. .
  t x x x|. .|. .
  s x x x|x .|. .
  t x x x|x x|x x

A `hidden` column (history dropout with `all_turns`) is seen by its own segment only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IGNORE = -100
EOS = 1024
BERT_DIM = 1024
AGENT, USER, OTHER = 0, 1, 2
KEEP = ("full", "text", "speech", "none")


class LayoutError(ValueError):
    """A sequence that cannot be built, or a layout that makes no sense."""


@dataclass(frozen=True)
class LayoutConfig:
    """How a dialogue becomes one sequence; stored in the model's header."""

    order: str = "interleaved"
    """``interleaved`` or ``grouped`` (the voice-cloning prompt form; the paper's AABB)."""
    mask: str = "block_causal"
    """``block_causal`` (text bidirectional inside its segment) or ``causal``."""
    loss_on: str = "response"
    """``response`` or ``all_turns``."""
    history_turns: int = 2
    """Turns before the response in ``window`` mode (the paper's N minus one)."""
    history_mode: str = "window"
    """``window`` (last turns) or ``growing`` (whole dialogue up to ``history_tokens``)."""
    history_tokens: int = 2000
    """Budget of ``growing`` in columns (phonemes + tokens) of the history."""

    def __post_init__(self) -> None:
        choices = {
            "order": ("interleaved", "grouped"),
            "mask": ("block_causal", "causal"),
            "loss_on": ("response", "all_turns"),
            "history_mode": ("window", "growing"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise LayoutError(
                    f"layout.{name} is {getattr(self, name)!r}; it must be one of {allowed}"
                )
        if self.history_turns < 0 or self.history_tokens < 1:
            raise LayoutError("history_turns must be 0 or more and history_tokens 1 or more")
        if self.order == "grouped" and self.loss_on == "all_turns":
            raise LayoutError("order grouped has no end of a history turn: use loss_on: response")


@dataclass(frozen=True)
class EncodedTurn:
    """A turn as numbers. ``codes`` is empty for a turn known by its text only."""

    speaker: str
    phonemes: np.ndarray
    """(X,) int64"""
    codes: np.ndarray
    """(T,) int64, 25 per second, without EOS"""
    bert: np.ndarray | None = None
    """(X, 1024) float32 or None"""
    turn: int = 0
    """Index in the dialogue."""

    def __post_init__(self) -> None:
        for name in ("phonemes", "codes"):
            value = np.asarray(getattr(self, name), dtype=np.int64)
            if value.ndim != 1:
                raise LayoutError(f"turn {self.turn}: {name} has shape {value.shape}, not (N,)")
            object.__setattr__(self, name, value)
        if self.codes.size and not 0 <= self.codes.min() <= self.codes.max() < EOS:
            raise LayoutError(f"turn {self.turn}: codes must be in 0..{EOS - 1} (EOS is no input)")
        if self.bert is not None and self.bert.shape != (len(self.phonemes), BERT_DIM):
            raise LayoutError(
                f"turn {self.turn}: bert has shape {self.bert.shape}, "
                f"phonemes ask for {(len(self.phonemes), BERT_DIM)}"
            )


@dataclass(frozen=True)
class Segment:
    """A run of phonemes or of semantic tokens; turn, role and target per column."""

    kind: str
    """``text`` or ``semantic``"""
    ids: np.ndarray
    turn: np.ndarray
    role: np.ndarray
    bert: np.ndarray | None = None
    hidden: bool = False
    """Seen by its own segment only."""


@dataclass(frozen=True)
class Columns:
    """The sequence as arrays of length N; what the network reads."""

    ids: np.ndarray
    is_text: np.ndarray
    position: np.ndarray
    segment: np.ndarray
    turn: np.ndarray
    role: np.ndarray
    hidden: np.ndarray
    target: np.ndarray
    bert: np.ndarray | None
    """(N, 1024) float32, zero where there is none; None when no turn has any"""
    response_start: tuple[int, int, int, int]
    """(segment, position, turn, role) of the response's first code"""

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int | None = None) -> Columns:
        """Columns start..stop; for feeding only what a cache does not hold yet."""
        names = ("ids", "is_text", "position", "segment", "turn", "role", "hidden", "target")
        cut = {name: getattr(self, name)[start:stop] for name in names}
        bert = None if self.bert is None else self.bert[start:stop]
        return Columns(**cut, bert=bert, response_start=self.response_start)


@dataclass(frozen=True)
class Sequence_:
    """Segments in order; ``columns()`` lays them side by side."""

    segments: tuple[Segment, ...]
    target: np.ndarray
    response_start: tuple[int, int, int, int]

    def columns(self) -> Columns:
        """Lay the segments side by side."""
        parts = self.segments
        lengths = [len(s.ids) for s in parts]
        bert = None
        if any(s.bert is not None for s in parts):
            zeros = [np.zeros((n, BERT_DIM), np.float32) for n in lengths]
            bert = np.concatenate([z if s.bert is None else s.bert for s, z in zip(parts, zeros)])
        return Columns(
            ids=np.concatenate([s.ids for s in parts]),
            is_text=np.repeat([s.kind == "text" for s in parts], lengths),
            position=np.concatenate([np.arange(n, dtype=np.int64) for n in lengths]),
            segment=np.repeat(np.arange(len(parts), dtype=np.int64), lengths),
            turn=np.concatenate([s.turn for s in parts]),
            role=np.concatenate([s.role for s in parts]),
            hidden=np.repeat([s.hidden for s in parts], lengths),
            target=self.target,
            bert=bert,
            response_start=self.response_start,
        )


def roles(speakers: Sequence[str], agent: str, *, user: str | None = None) -> list[int]:
    """AGENT for ``agent``, USER for the other of two, OTHER for anyone else.

    The user is ``user`` where given, else the first speaker who is not the agent.
    """
    if user is None:
        user = user_of(speakers, agent)
    return [AGENT if s == agent else USER if s == user else OTHER for s in speakers]


def user_of(speakers: Sequence[str], agent: str) -> str | None:
    """The other of two: the first to speak in the dialogue so far who is not the agent.

    Taken over all turns before the response, not only those in its window, so that nobody's role
    changes when a turn leaves; training and session call it with the same turns.
    """
    return next((speaker for speaker in speakers if speaker != agent), None)


def build_sequence(
    history: Sequence[EncodedTurn],
    response: EncodedTurn,
    config: LayoutConfig,
    *,
    include_response_codes: bool = True,
    keep: str = "full",
    user: str | None = None,
) -> Sequence_:
    """History (already selected) and response -> the sequence.

    Without the response's codes it is what a session holds before generating: a prefix of the
    training sequence. ``keep`` is what history dropout leaves of the history. Raises `LayoutError`.
    """
    if keep not in KEEP:
        raise LayoutError(f"keep is {keep!r}; it must be one of {KEEP}")
    if not len(response.phonemes):
        raise LayoutError(f"turn {response.turn}: the response has no phonemes")
    if include_response_codes and not len(response.codes):
        raise LayoutError(f"turn {response.turn}: the response has no codes")
    all_turns = config.loss_on == "all_turns"
    numbers = roles([*(t.speaker for t in history), response.speaker], response.speaker, user=user)
    dropped = {"text": keep in ("speech", "none"), "semantic": keep in ("text", "none")}
    parts: list[Segment] = []
    targets: list[np.ndarray] = []

    def add(turn: EncodedTurn, role: int, kind: str, *, is_response: bool) -> None:
        ids = turn.phonemes if kind == "text" else turn.codes
        drop = dropped[kind] and not is_response
        if not len(ids) or (drop and not all_turns):
            return
        constant = np.full(len(ids), 1, dtype=np.int64)
        bert = turn.bert if kind == "text" else None
        parts.append(Segment(kind, ids, constant * turn.turn, constant * role, bert, drop))
        target = np.full(len(ids), IGNORE, dtype=np.int64)
        if kind == "semantic" and (is_response or all_turns):
            target[:] = [*ids[1:], EOS]
            follows_own_text = bool(len(turn.phonemes)) or config.order == "grouped"
            if targets and follows_own_text:  # the column before predicts the first code
                targets[-1][-1] = ids[0]
        targets.append(target)

    turns = [*zip(history, numbers, [False] * len(history)), (response, numbers[-1], True)]
    kinds = [("text", "semantic")] if config.order == "interleaved" else [("text",), ("semantic",)]
    for pair in kinds:
        for turn, role, is_response in turns:
            for kind in pair:
                if kind == "text" or include_response_codes or not is_response:
                    add(turn, role, kind, is_response=is_response)
    if config.order == "grouped":
        parts = [_join([s for s in parts if s.kind == kind]) for kind in ("text", "semantic")
                 if any(s.kind == kind for s in parts)]  # fmt: skip
    start = _response_start(parts, response, numbers[-1], config, include_response_codes)
    return Sequence_(tuple(parts), np.concatenate(targets), start)


def _join(parts: list[Segment]) -> Segment:
    bert = None
    if any(s.bert is not None for s in parts):
        zeros = [np.zeros((len(s.ids), BERT_DIM), np.float32) for s in parts]
        bert = np.concatenate([z if s.bert is None else s.bert for s, z in zip(parts, zeros)])
    ids, turn, role = (
        np.concatenate([getattr(s, name) for s in parts]) for name in ("ids", "turn", "role")
    )
    return Segment(parts[0].kind, ids, turn, role, bert)


def _response_start(
    parts: list[Segment], response: EncodedTurn, role: int, config: LayoutConfig, with_codes: bool
) -> tuple[int, int, int, int]:
    """(segment, position, turn, role) the response's first code has or will have."""
    if parts[-1].kind == "text":
        return len(parts), 0, response.turn, role
    position = len(parts[-1].ids) - (len(response.codes) if with_codes else 0)
    if config.order == "interleaved":
        position = 0
    return len(parts) - 1, position, response.turn, role
