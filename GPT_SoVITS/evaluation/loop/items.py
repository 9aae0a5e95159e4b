"""Items of an evaluation: what is said after which history, and how it was said really."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from GPT_SoVITS.dialogue import Dialogue, Turn
from GPT_SoVITS.dialogue.manifest import S2Record, read_s1, read_s2
from GPT_SoVITS.evaluation.benchmark.corpus import is_held_out
from GPT_SoVITS.evaluation.loop.config import ItemsConfig
from GPT_SoVITS.text.segmentation import segments

COLUMNS = ("id", "text", "language", "speaker", "audio", "reference_audio", "dialogue", "group")
MARKS = re.compile(r"[\s]*[,.!?;:，。！？；：、…]+")


class ItemsError(ValueError):
    """A manifest that cannot be used; names file, line and value."""


@dataclass(frozen=True)
class EvalItem:
    """One response."""

    id: str
    group: str
    """Dialogue (or the item itself): intervals draw whole groups."""
    text: str
    """What is scored against."""
    language: str
    dialogue: Dialogue
    """History and response; the response's text is what is spoken."""
    recording: str | None = None
    """Path of the true response."""
    codes: tuple[int, ...] = ()
    """True tokens, where the corpus has them."""


def read_items(config: ItemsConfig) -> list[EvalItem]:
    """All items, at most `max_items` of them, then every way to punctuate each.

    Raises `ItemsError`.
    """
    found = []
    for name in (config.data, config.unlike):
        if name and not (Path(name) / "5_sequences").is_dir():
            raise ItemsError(
                f"{name}: no prepared corpus there; `python -m prepare_datasets` makes one"
            )
    if config.data:
        found = from_data(Path(config.data), config.split, history_turns=config.history_turns)
    if config.sentences == "held_out":
        found = [item for item in found if is_held_out(item.text)]
    if config.manifest:
        found = from_manifest(Path(config.manifest))
    if config.unlike:
        known = sentences_of(Path(config.unlike))
        found = [item for item in found if item.text.strip() not in known]
    if config.languages:
        found = [item for item in found if item.language in config.languages]
    if not found:
        raise ItemsError("no items: look at source.languages, and at the split of the corpus")
    if len(found) > config.max_items:
        order = sorted(random.Random(config.seed).sample(range(len(found)), config.max_items))
        found = [found[k] for k in order]
    return [punctuated(item, way) for item in found for way in config.punctuation]


def sentences_of(folder: Path) -> set[str]:
    """Every sentence of a prepared corpus' training dialogues."""
    records = read_s1(folder / "5_sequences" / "s1_train.jsonl")
    return {turn.text.strip() for record in records for turn in record.turns}


def from_data(folder: Path, split: str, *, history_turns: int) -> list[EvalItem]:
    """Targets of a prepared corpus after their true history.

    The reference voice is always given and does not follow from `history_turns`: the speaker's
    latest earlier turn in the dialogue, else a turn of another dialogue of the split.
    """
    sequences = folder / "5_sequences"
    spoken = {r.id: r for r in read_s2(sequences / f"s2_{split}.jsonl")}
    audio = {name: str(folder / record.audio) for name, record in spoken.items()}
    found = []
    for record in read_s1(sequences / f"s1_{split}.jsonl"):
        for target in record.targets:
            turn = record.turns[target]
            past = tuple(
                Turn(turn.speaker, turn.text, turn.language, audio[turn.id])
                for turn in record.turns[max(0, target - history_turns) : target]
            )
            before = [t.id for t in record.turns[:target] if t.speaker == turn.speaker]
            reference = before[-1] if before else _elsewhere(spoken, turn.speaker, record.dialogue)
            response = Turn(turn.speaker, turn.text, turn.language)
            found.append(
                EvalItem(
                    id=turn.id,
                    group=record.dialogue,
                    text=turn.text,
                    language=turn.language,
                    dialogue=Dialogue(past, response, audio[reference] if reference else None),
                    recording=audio[turn.id],
                    codes=turn.codes,
                )
            )
    return found


def _elsewhere(spoken: Mapping[str, S2Record], speaker: str, dialogue: str) -> str | None:
    """A turn of a speaker in another dialogue, near three seconds; None where there is none."""
    others = [r for r in spoken.values() if r.speaker == speaker and r.dialogue != dialogue]
    best = min(others, key=lambda r: (abs(len(r.codes) - 75), r.id), default=None)
    return None if best is None else best.id


def from_manifest(path: Path) -> list[EvalItem]:
    """Rows of a CSV (with a header) or JSONL file. Raises `ItemsError`."""
    if not path.is_file():
        raise ItemsError(f"{path}: no such file")
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[Any] = list(csv.DictReader(file))
    else:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        try:
            rows = [json.loads(line) for line in lines if line.strip()]
        except json.JSONDecodeError as error:
            raise ItemsError(f"{path}: not JSONL: {error}") from None
    items = [_item(row, path, number) for number, row in enumerate(rows, 1)]
    ids = [item.id for item in items]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ItemsError(f"{path}: ids occur twice: {', '.join(twice[:5])}")
    return items


def _item(row: Any, path: Path, number: int) -> EvalItem:
    where = f"{path}, row {number}"
    if not isinstance(row, Mapping):
        raise ItemsError(f"{where}: must be an object")
    unknown = sorted(str(key) for key in row if key not in COLUMNS)
    if unknown:
        raise ItemsError(f"{where}: unknown columns {unknown}; known are {', '.join(COLUMNS)}")
    values = {key: str(value).strip() for key, value in row.items() if value not in (None, "")}
    if not values.get("text"):
        raise ItemsError(f"{where}: text is missing")

    def place(name: str) -> str | None:
        return str(path.parent / values[name]) if name in values else None

    said = values["text"]
    language = values.get("language", "auto")
    if language == "auto":
        language = segments(said)[0][0]
    past = Dialogue()
    if "dialogue" in values:
        past = Dialogue.load(path.parent / values["dialogue"])
    reference = place("reference_audio") or past.reference_audio
    response = Turn(values.get("speaker", "agent"), said, language)
    name = values.get("id", f"row{number}")
    return EvalItem(
        id=name,
        group=values.get("group", name),
        text=said,
        language=language,
        dialogue=Dialogue(past.turns, response, reference),
        recording=place("audio"),
    )


def punctuated(item: EvalItem, way: str) -> EvalItem:
    """The item with its text punctuated another way; the words, and so the reference, stay."""
    if way == "as_is":
        return item
    chinese = item.language == "zh"
    words = MARKS.sub("" if chinese else " ", item.text).strip()
    spoken = {
        "none": words,
        "exclaim": words + ("！" if chinese else "!"),
        "question": words + ("？" if chinese else "?"),
        "commas": "，".join(words) if chinese else ", ".join(words.split()),
    }[way]
    assert item.dialogue.response is not None
    response = replace(item.dialogue.response, text=spoken)
    dialogue = replace(item.dialogue, response=response)
    return replace(item, id=f"{item.id}#{way}", dialogue=dialogue)
