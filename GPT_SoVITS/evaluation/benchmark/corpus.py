"""What the benchmark trains on and what it asks: styles stripped, voices and sentences held out.

    prepared corpus (split by voice)        training folder              test items
    s1_train: dialogue  u0 a1 u2 a3* u4 a5  u0 a1 u2      no styles
    s1_valid: dialogue  u0 a1 u2 a3*                                     a3, with its style
                                  (* a held-out sentence)

A training dialogue ends before the first response whose sentence is held out; a test item is a
response of a held-out voice's dialogue whose sentence is held out. The training folder has no style
labels: neither probe nor rule can be reached from there. `control` gives every training dialogue
the user turns of another one: a world in which the history tells nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1, read_s2, write_records

HELD_OUT_SHARE = 0.2


class BenchmarkError(ValueError):
    """A corpus the benchmark cannot use; says why and what to do."""


@dataclass(frozen=True)
class Item:
    """One response to speak: the turns of its dialogue, its place in them, and its true style."""

    dialogue: str
    turns: tuple[TurnRecord, ...]
    target: int
    style: str

    @property
    def response(self) -> TurnRecord:
        """The turn to be spoken."""
        return self.turns[self.target]


@dataclass(frozen=True)
class Rule:
    """Response style by the style of the turn just heard, read from the labels of a corpus."""

    table: dict[str, str]
    agreement: float
    """Share of labelled responses the table explains; 1 in the demo corpus."""

    def __call__(self, heard: str) -> str:
        return self.table[heard]


def style_of(turn: TurnRecord) -> str:
    """The label of a turn of the demo corpus. Raises `BenchmarkError`."""
    if not turn.style or "name" not in turn.style:
        raise BenchmarkError(
            f"turn {turn.id} has no style label; the benchmark needs the demo corpus "
            "(python -m prepare_datasets.demo_corpus)"
        )
    return str(turn.style["name"])


def is_held_out(text: str, *, share: float = HELD_OUT_SHARE) -> bool:
    """Whether a sentence is kept for the test: a property of its text alone."""
    digest = hashlib.sha256(f"controlled/{text.strip()}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share


def read_rule(records: Iterable[S1Record]) -> Rule:
    """The most frequent response style after each style heard. Raises `BenchmarkError`."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for target in record.targets:
            if target:
                seen[style_of(record.turns[target - 1])][style_of(record.turns[target])] += 1
    if not seen:
        raise BenchmarkError("no labelled response with a turn before it")
    table = {heard: counts.most_common(1)[0][0] for heard, counts in seen.items()}
    right = sum(seen[heard][style] for heard, style in table.items())
    return Rule(table, right / sum(sum(counts.values()) for counts in seen.values()))


def training_dialogue(record: S1Record) -> S1Record | None:
    """A dialogue without labels, cut before its first held-out response; None if none is left."""
    cut = next((t for t in record.targets if is_held_out(record.turns[t].text)), len(record.turns))
    targets = tuple(t for t in record.targets if t < cut)
    if not targets:
        return None
    turns = tuple(replace(turn, style=None) for turn in record.turns[:cut])
    return replace(record, turns=turns, targets=targets)


def exchange_users(records: Sequence[S1Record], *, seed: int) -> list[S1Record]:
    """Every dialogue with the user turns of another of the same language and length."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        groups[record.turns[0].language, len(record.turns)].append(place)
    rng, donors = random.Random(seed), list(range(len(records)))
    for places in groups.values():
        shuffled = places[:]
        rng.shuffle(shuffled)
        for place, donor in zip(shuffled, shuffled[1:] + shuffled[:1]):
            donors[place] = donor
    return [_with_users(record, records[donor]) for record, donor in zip(records, donors)]


def _with_users(record: S1Record, donor: S1Record) -> S1Record:
    responses = set(record.targets)
    turns = tuple(
        own
        if place in responses
        else replace(donor.turns[place], id=own.id, index=own.index, speaker=own.speaker)
        for place, own in enumerate(record.turns)
    )
    return replace(record, turns=turns)


def write_training(
    data: str | Path, output: str | Path, *, control: bool = False, seed: int = 0
) -> dict[str, Any]:
    """Make the folder training reads -> what is in it. Sound and tokenizer are linked."""
    data, output = Path(data), Path(output)
    records = [
        kept
        for record in read_s1(data / "5_sequences" / "s1_train.jsonl")
        if (kept := training_dialogue(record)) is not None
    ]
    heard = {turn.id for record in records for turn in record.turns}
    if control:
        records = exchange_users(records, seed=seed)
    held_out = [
        replace(record, turns=tuple(replace(turn, style=None) for turn in record.turns))
        for record in read_s1(data / "5_sequences" / "s1_valid.jsonl")
    ][:60]
    watched = {turn.id for record in held_out for turn in record.turns}
    folder = output / "5_sequences"
    write_records(folder / "s1_train.jsonl", records)
    write_records(folder / "s1_valid.jsonl", held_out)
    for split, wanted in (("train", heard), ("valid", watched)):
        if (data / "5_sequences" / f"s2_{split}.jsonl").is_file():
            turns = (r for r in read_s2(data / "5_sequences" / f"s2_{split}.jsonl"))
            write_records(folder / f"s2_{split}.jsonl", (r for r in turns if r.id in wanted))
    shutil.copyfile(data / "5_sequences" / "meta.json", folder / "meta.json")
    for name in ("4_semantic", "3_speech", "speakers.json"):
        if (data / name).exists() and not (output / name).exists():
            (output / name).symlink_to(os.path.relpath(data / name, output))
    facts = {
        "dialogues": len(records),
        "responses": sum(len(record.targets) for record in records),
        "sentences": len({r.turns[t].text for r in records for t in r.targets}),
        "voices": sorted({turn.speaker for record in records for turn in record.turns}),
        "control": control,
    }
    (output / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def read_items(data: str | Path, *, most: int, seed: int = 0) -> list[Item]:
    """Test items, every style equally often: voice, sentence and dialogue are all held out.

    Raises `BenchmarkError`.
    """
    folder = Path(data) / "5_sequences"
    known = {turn.speaker for record in read_s1(folder / "s1_train.jsonl") for turn in record.turns}
    by_style: dict[str, list[Item]] = defaultdict(list)
    for record in read_s1(folder / "s1_valid.jsonl"):
        for target in record.targets:
            turn = record.turns[target]
            if target and is_held_out(turn.text) and turn.speaker not in known:
                style = style_of(turn)
                by_style[style].append(Item(record.dialogue, record.turns, target, style))
    if len(by_style) < 2:
        raise BenchmarkError(
            f"{data}: the validation split has no held-out sentences of held-out voices in two "
            "styles or more; prepare with split.by: speaker, or make more dialogues"
        )
    each = min([most // len(by_style), *(len(items) for items in by_style.values())])
    rng = random.Random(seed)
    chosen = [item for style in sorted(by_style) for item in rng.sample(by_style[style], each)]
    return sorted(chosen, key=lambda item: item.response.id)
