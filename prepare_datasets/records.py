"""Turns of a dialogue as the records both stages train from; GPT_SoVITS.dialogue.manifest reads."""

from __future__ import annotations

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.dialogue.manifest import S1Record, S2Record, TurnRecord
from prepare_datasets.config import SequenceConfig
from prepare_datasets.jsonl import Record


def s1_record(config: SequenceConfig, title: str, turns: list[Record]) -> S1Record:
    """A dialogue (or what gaps left of it) as stage 1 reads it."""
    records = tuple(
        TurnRecord(
            id=turn["id"],
            index=turn["index"],
            speaker=turn["speaker"],
            language=turn["language"],
            text=turn["text"],
            phonemes=tuple(turn["ids"]),
            codes=tuple(turn["codes"]),
            seconds=turn["seconds"],
            style=turn.get("style"),
        )
        for turn in turns
    )
    asked, first = config.targets, 0 if config.first_turns else 1
    targets = (
        i for i, t in enumerate(turns) if i >= first and (asked == "all" or t.get("role") == asked)
    )
    return S1Record(title, records, tuple(targets))


def s2_records(config: SequenceConfig, turns: list[Record]) -> list[S2Record]:
    """Turns as stage 2 reads them."""
    n = config.history_turns
    return [
        S2Record(
            id=turn["id"],
            dialogue=turn["dialogue"],
            index=turn["index"],
            speaker=turn["speaker"],
            language=turn["language"],
            phonemes=tuple(turn["ids"]),
            codes=tuple(turn["codes"]),
            audio=turn["audio"],
            n_frames=turn["n_samples"] // HOP_LENGTH,
            history=tuple(before["id"] for before in turns[max(0, place - n) : place]),
        )
        for place, turn in enumerate(turns)
    ]


def plain(record: S1Record) -> Record:
    """Its line as `manifest.write_records` writes it; `asdict` would copy every single code."""
    turns = [
        {key: value for key, value in vars(turn).items() if key != "style" or value is not None}
        for turn in record.turns
    ]
    return vars(record) | {"turns": turns}
