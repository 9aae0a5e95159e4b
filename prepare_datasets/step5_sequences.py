"""Step 5, everything -> training sequences: `python -m prepare_datasets.step5_sequences …`.

5_sequences/s1_{train,valid}.jsonl   a dialogue per line   5_sequences/meta.json   what they are
5_sequences/s2_{train,valid}.jsonl   a turn per line
ledger.jsonl, report.json            what became of every turn of the corpus
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.dialogue.manifest import S1Record, S2Record, TurnRecord, write_records
from GPT_SoVITS.text import SymbolTable
from prepare_datasets import step1_dialogues, step2_text, step3_speech, step4_semantic
from prepare_datasets.config import PrepareConfig
from prepare_datasets.features import feature_recipe
from prepare_datasets.ledger import Counts, Entry, count
from prepare_datasets.pipeline import Record, log, write_json, write_jsonl
from prepare_datasets.splits import group, runs, valid_dialogues

NAME = "5_sequences"
STAGE = "step5_sequences"


def run(config: PrepareConfig) -> Counts:
    """Write the four manifests, the ledger and the report; the counts must add up."""
    turns = _joined(config)
    entries: list[Entry] = []
    stretches: list[tuple[str, list[Record]]] = []
    for name, members in group(turns).items():
        pieces, dropped = runs(members, config.sequences.gaps)
        entries += dropped
        for number, piece in enumerate(pieces):
            if len(piece) < config.sequences.min_turns:
                entries += [_too_few(turn, len(piece), config) for turn in piece]
            else:
                title = f"{name}#{piece[0]['index']}" if number else name
                stretches.append((title, piece))
    held_out = valid_dialogues((t["dialogue"] for t in turns), config.split)
    train = [one for one in stretches if one[1][0]["dialogue"] not in held_out]
    valid = [one for one in stretches if one[1][0]["dialogue"] in held_out]
    if config.split.valid_is_train:
        valid = train
    folder = config.folder / NAME
    for split, chosen in (("train", train), ("valid", valid)):
        s1 = [_s1(config, title, piece) for title, piece in chosen]
        write_records(folder / f"s1_{split}.jsonl", [one for one in s1 if one.targets])
        s2 = [record for _, piece in chosen for record in _s2(config, piece)]
        write_records(folder / f"s2_{split}.jsonl", s2)
    write_json(folder / "meta.json", _meta(config))
    kept = [turn for _, piece in stretches for turn in piece]
    return _report(config, kept, entries, train=len(train), valid=len(valid))


def _joined(config: PrepareConfig) -> list[Record]:
    """One record per turn that every step kept."""
    texts = {record["id"]: record for record in step2_text.load(config)}
    sounds = {record["id"]: record for record in step3_speech.load(config)}
    codes = {record["id"]: record["codes"] for record in step4_semantic.load(config)}
    joined = []
    for turn in step1_dialogues.load(config).records:
        name = turn["id"]
        if name in texts and name in sounds and name in codes:
            parts = {"ids": texts[name]["ids"], "language": texts[name]["language"]}
            speech = {key: sounds[name][key] for key in ("audio", "n_samples", "seconds")}
            joined.append(turn | parts | speech | {"codes": codes[name]})
    return joined


def _s1(config: PrepareConfig, title: str, turns: list[Record]) -> S1Record:
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
    asked = config.sequences.targets
    targets = (i for i, t in enumerate(turns) if i and (asked == "all" or t.get("role") == asked))
    return S1Record(title, records, tuple(targets))


def _s2(config: PrepareConfig, turns: list[Record]) -> list[S2Record]:
    n = config.sequences.history_turns
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


def _meta(config: PrepareConfig) -> dict[str, Any]:
    feature: dict[str, Any] = feature_recipe(config).header()
    if config.feature.kind == "imported_codes":
        feature = {"kind": "hubert", "origin": config.feature.origin}
    return {
        "schema_version": 1,
        "name": config.name,
        "symbols": config.text.symbols,
        "tags": list(config.text.tags),
        "n_symbols": len(SymbolTable(config.text.symbols, tags=config.text.tags)),
        "quantizer_id": step4_semantic.quantizer_id(config),
        "feature": feature,
        "history_turns": config.sequences.history_turns,
        "sample_rate": SAMPLE_RATE,
        "token_rate": TOKEN_RATE,
        "valid_is_train": config.split.valid_is_train,
    }


def _report(
    config: PrepareConfig, kept: list[Record], entries: list[Entry], *, train: int, valid: int
) -> Counts:
    steps = (step1_dialogues, step2_text, step3_speech, step4_semantic)
    before = [entry for step in steps for entry in step.entries(config)]
    entries = before + entries
    counts = count(step1_dialogues.found(config), len(kept), entries)
    write_jsonl(config.folder / "ledger.jsonl", (entry.as_json() for entry in entries))
    report = counts.as_json() | {
        "name": config.name,
        "dialogues": {"train": train, "valid": valid},
        "hours": round(sum(turn["seconds"] for turn in kept) / 3600, 4),
        "speakers": dict(sorted(Counter(turn["speaker"] for turn in kept).items())),
        "languages": dict(sorted(Counter(turn["language"] for turn in kept).items())),
        "codes": sum(len(turn["codes"]) for turn in kept),
        "quantizer_id": step4_semantic.quantizer_id(config),
    }
    write_json(config.folder / "report.json", report)
    log.info("%s: %d training and %d validation dialogues", NAME, train, valid)
    log.info(counts.sentence())
    return counts


def _too_few(turn: Record, length: int, config: PrepareConfig) -> Entry:
    return Entry(
        id=turn["id"],
        path=turn["audio"],
        stage=STAGE,
        code="too_few_turns",
        message="the dialogue (or what a gap left of it) is too short",
        value=length,
        limit=config.sequences.min_turns,
        action="dropped",
    )


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="5")
