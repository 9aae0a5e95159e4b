"""Corrections by hand: a history of small changes, laid over the turns that a reader finds.

    corrections.jsonl   {"number": 1, "time": …, "op": "text", "id": "c/7/3", "text": "Hello."}
                        {"number": 2, …, "op": "split", "id": "c/7/4", "at": 2.1, "texts": [a, b]}
                        {"number": 3, …, "op": "undo", "of": 1}

    reader   3   4         5   6        a split turn's second half is called 4.2, merged turns keep
             │   ├───┐     ├───┘        the first one's name; the turns behind keep their names, so
    step 1   3   4   4.2   5            that only what changed is made again

Recordings and transcripts stay as they are. Lines are only ever added; an undone one has no effect.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import Record, fingerprint, read_jsonl
from prepare_datasets.ledger import Entry
from prepare_datasets.readers.turn import STAGE, Part, Piece, RawTurn

FILE = "corrections.jsonl"
FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "text": {"id": str, "text": str},
    "drop": {"id": str, "reason": str},
    "split": {"id": str, "at": (int, float), "texts": list},
    "merge": {"id": str, "with": str},
    "undo": {"of": int},
}


def check(line: Record) -> None:
    """ValueError unless `line` is a correction."""
    fields = FIELDS.get(line.get("op", ""))
    if fields is None:
        raise ValueError(f"op is {line.get('op')!r}; it must be one of {', '.join(FIELDS)}")
    for name, kind in fields.items():
        if not isinstance(line.get(name), kind) or isinstance(line[name], bool):
            raise ValueError(f"{line['op']}: {name} is {line.get(name)!r}")
    texts = line["texts"] if line["op"] == "split" else [line.get("text", "-")]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(f"{line['op']}: an empty text; drop the turn instead")
    if line["op"] == "split" and (len(texts) != 2 or not 0 < line["at"] < math.inf):
        raise ValueError("split: two texts and a time above 0 s are needed")
    if line["op"] == "merge" and line["id"] == line["with"]:
        raise ValueError("merge: a turn with itself")


def read_history(path: Path) -> list[Record]:
    """Every line ever added, undone or not. Raises `PrepareError`."""
    lines = list(read_jsonl(path))
    for place, line in enumerate(lines, 1):
        try:
            check(line)
        except ValueError as error:
            raise PrepareError(f"{path}:{place}: {error}") from None
        if line.get("number") != place:
            raise PrepareError(f"{path}:{place}: number is {line.get('number')!r}")
    return lines


def in_force(history: Iterable[Record]) -> list[Record]:
    """The lines that have an effect, in order; an undo can be undone."""
    lines = list(history)
    undone: set[int] = set()
    for line in reversed(lines):
        if line["op"] == "undo" and line["number"] not in undone:
            undone.add(line["of"])
    return [one for one in lines if one["op"] != "undo" and one["number"] not in undone]


class Corrections:
    """The lines in force, applied to a stream of turns, a dialogue at a time."""

    def __init__(self, lines: Iterable[Record]) -> None:
        self._of: defaultdict[str, list[Record]] = defaultdict(list)
        for line in lines:
            self._of[line["id"].rpartition("/")[0]].append(line)

    def apply(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Turns as corrected; every correction leaves an entry, one without its turn too."""
        held: list[RawTurn] = []
        for piece in pieces:
            if isinstance(piece, Entry):
                yield piece
                continue
            if held and piece.dialogue != held[0].dialogue:
                yield from self._corrected(held)
                held = []
            if piece.dialogue in self._of:
                held.append(piece)
            else:
                yield piece
        if held:
            yield from self._corrected(held)
        for line in (line for lines in self._of.values() for line in lines):
            yield _unused(line, "no such turn in the corpus")

    def _corrected(self, turns: list[RawTurn]) -> Iterator[Piece]:
        for line in self._of.pop(turns[0].dialogue):
            place = next((i for i, turn in enumerate(turns) if turn.id == line["id"]), None)
            if place is None:
                yield _unused(line, "no such turn in the corpus")
                continue
            try:
                yield OPERATIONS[line["op"]](turns, place, line)
            except ValueError as error:
                yield _unused(line, str(error))
        yield from turns


def _text(turns: list[RawTurn], place: int, line: Record) -> Entry:
    before = turns[place]
    turns[place] = replace(before, text=" ".join(line["text"].split()), phonemes=None)
    return _noted(before, "corrected_text", f"was {before.text!r}")


def _drop(turns: list[RawTurn], place: int, line: Record) -> Entry:
    turn = turns.pop(place)
    return Entry(
        turn.id, turn.audio, STAGE, "dropped_by_hand", line["reason"] or "by hand", action="dropped"
    )


def _split(turns: list[RawTurn], place: int, line: Record) -> Entry:
    """A B C  ->  A B1 B2 C"""
    turn, at = turns[place], float(line["at"])
    parts = _parts(turn)
    if len(parts) > 1:
        raise ValueError("a merged turn is split by undoing the merge")
    ((audio, start, stop),) = parts
    if stop is not None and start + at >= stop:
        raise ValueError(f"the turn ends before {at} s")
    sounds = ((audio, start, start + at), (audio, start + at, stop))
    names = (turn.id, f"{turn.id}.2")
    halves = [
        _cut_out(turn, id=name, index=turn.index + n, text=text, parts=(sound,))
        for n, (name, text, sound) in enumerate(zip(names, line["texts"], sounds, strict=True))
    ]
    turns[place : place + 1] = halves
    _move(turns, place + 2, 1)
    return _noted(turn, "corrected_split", f"at {at} s; {names[1]} begins there")


def _merge(turns: list[RawTurn], place: int, line: Record) -> Entry:
    """A B C D  ->  A BC D"""
    first = turns[place]
    second = turns[place + 1] if place + 1 < len(turns) else None
    if second is None or second.id != line["with"]:
        raise ValueError(f"{line['with']} does not follow it")
    if (first.speaker, first.index + 1) != (second.speaker, second.index):
        raise ValueError(f"{second.id} is another speaker's, or a turn between them is missing")
    joint = "" if _chinese(first.text[-1]) and _chinese(second.text[0]) else " "
    parts = (*_parts(first), *_parts(second))
    text = first.text + joint + second.text
    origin = fingerprint(first.origin, second.origin)
    merged = _cut_out(first, text=text, parts=parts, origin=origin)
    turns[place : place + 2] = [merged]
    _move(turns, place + 1, -1)
    return _noted(first, "corrected_merge", f"{second.id} goes on with it")


OPERATIONS: dict[str, Callable[[list[RawTurn], int, Record], Entry]] = {
    "text": _text,
    "drop": _drop,
    "split": _split,
    "merge": _merge,
}


def _cut_out(turn: RawTurn, *, parts: tuple[Part, ...], **values: Any) -> RawTurn:
    """The turn with other sound; what it is made from says so."""
    if turn.codes is not None or turn.features is not None:
        raise ValueError("its features or codes are imported and cannot be cut")
    origin = fingerprint(values.pop("origin", turn.origin), parts)
    return replace(turn, parts=parts, origin=origin, phonemes=None, **values)


def _parts(turn: RawTurn) -> tuple[Part, ...]:
    return turn.parts or ((turn.audio, 0.0, None),)


def _move(turns: list[RawTurn], first: int, by: int) -> None:
    for place in range(first, len(turns)):
        turns[place] = replace(turns[place], index=turns[place].index + by)


def _chinese(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef"


def _noted(turn: RawTurn, code: str, message: str) -> Entry:
    return Entry(turn.id, turn.audio, STAGE, code, message, action="notice")


def _unused(line: Record, reason: str) -> Entry:
    message = f"correction {line['number']} ({line['op']}) has no effect: {reason}"
    return Entry(line["id"], line["id"], STAGE, "unused_correction", message, action="notice")
