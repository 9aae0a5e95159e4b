"""Step 5, everything -> training sequences: `python -m prepare_datasets.step5_sequences …`.

5_sequences/s1_{train,valid}.jsonl   a dialogue per line   5_sequences/meta.json   what they are
5_sequences/s2_{train,valid}.jsonl   a turn per line       5_sequences/step.json   last
ledger.jsonl, report.json            what became of every turn of the corpus
speakers.json                        every voice with its medoid and reference clips
report.html, report.md               the dataset card
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.text import SymbolTable
from prepare_datasets import step1_dialogues, step2_text, step3_speech, step4_semantic
from prepare_datasets.card import write_card
from prepare_datasets.config import PrepareConfig
from prepare_datasets.errors import PrepareError
from prepare_datasets.features import feature_recipe
from prepare_datasets.jsonl import AtomicFile, Record, fingerprint, write_json
from prepare_datasets.ledger import Counts, Entry, Tally
from prepare_datasets.numbers import CorpusNumbers
from prepare_datasets.pipeline import aligned, log
from prepare_datasets.records import plain, s1_record, s2_records
from prepare_datasets.speakers import write_speakers
from prepare_datasets.splits import Split, by_dialogue, runs

NAME = "5_sequences"
STAGE = "step5_sequences"
VERSION = 3
KEPT_KEYS = ("audio", "n_samples", "seconds")


def run(config: PrepareConfig) -> Counts:
    """Write manifests, ledger, report, speakers and card; the counts must add up."""
    folder, mark = config.folder / NAME, made_from(config)
    if _done(config) == mark:
        counts = Counts.from_json(_read(config.folder / "report.json"))
        log.info("%s: nothing to do, %s is finished", NAME, config.folder)
        log.info(counts.sentence())
        return counts
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "step.json").unlink(missing_ok=True)
    numbers, tally = _Writer(config).write()
    if numbers.turns and not numbers.dialogues["train"]:
        raise PrepareError(
            "every dialogue would validate and none would train: with split.by speaker each "
            "dialogue has a voice that was chosen; take a smaller split.valid or split.by dialogue"
        )
    write_json(folder / "meta.json", _meta(config))
    counts = tally.counts(step1_dialogues.found(config), numbers.turns)
    report = counts.as_json() | numbers.as_json() | {"name": config.name}
    report["quantizer_id"] = step4_semantic.quantizer_id(config)
    write_json(config.folder / "report.json", report)
    write_speakers(config)
    if config.card:
        write_card(config, report, numbers)
    write_json(folder / "step.json", {"fingerprint": mark})
    dialogues = numbers.dialogues
    log.info(
        "%s: %d training, %d validation dialogues", NAME, dialogues["train"], dialogues["valid"]
    )
    log.info(counts.sentence())
    return counts


def account_for_nothing(config: PrepareConfig) -> Counts:
    """Ledger and report of a corpus of which no turn came this far."""
    tally = Tally()
    with AtomicFile(config.folder / "ledger.jsonl") as ledger:
        for entry in _earlier(config):
            tally.add(entry)
            ledger.add(entry.as_json())
    counts = tally.counts(step1_dialogues.found(config), 0)
    write_json(config.folder / "report.json", counts.as_json() | {"name": config.name})
    return counts


def made_from(config: PrepareConfig) -> str:
    """Fingerprint of everything this step reads."""
    steps = [step2_text.step(config), step3_speech.step(config), step4_semantic.step(config)]
    if config.feature.kind != "imported_codes":
        steps.append(step3_speech.features_step(config))
    settings = [config.name, config.split, config.sequences, config.card, _meta(config)]
    marks = [step.mark() for step in steps]
    return fingerprint(VERSION, settings, step1_dialogues.mark(config), marks)


def joined(config: PrepareConfig) -> Iterator[Record]:
    """One record per turn that every step kept, in the corpus's order."""
    rows = aligned(
        step1_dialogues.load(config),
        step2_text.step(config).records(),
        step3_speech.step(config).records(),
        step4_semantic.step(config).records(),
    )
    for turn, text, sound, codes in rows:
        parts = {"ids": text["ids"], "language": text["language"], "codes": codes["codes"]}
        yield turn | parts | {key: sound[key] for key in KEPT_KEYS}


class _Writer:
    """One pass over the corpus, a dialogue at a time."""

    def __init__(self, config: PrepareConfig) -> None:
        self._config = config
        self._numbers, self._tally = CorpusNumbers(), Tally()
        self._files: dict[str, AtomicFile] = {}

    def write(self) -> tuple[CorpusNumbers, Tally]:
        """Manifests and ledger."""
        config = self._config
        split = Split(by_dialogue(joined(config)), config.split)
        with ExitStack() as stack:
            for name in ("s1_train", "s1_valid", "s2_train", "s2_valid"):
                path = config.folder / NAME / f"{name}.jsonl"
                self._files[name] = stack.enter_context(AtomicFile(path))
            self._files["ledger"] = stack.enter_context(AtomicFile(config.folder / "ledger.jsonl"))
            for entry in _earlier(config):
                self._enter(entry)
            for turns in by_dialogue(joined(config)):
                self._dialogue(turns, "valid" if split.is_valid(turns) else "train")
        return self._numbers, self._tally

    def _dialogue(self, turns: list[Record], split: str) -> None:
        sequences = self._config.sequences
        pieces, dropped = runs(turns, sequences.gaps)
        for entry in dropped:
            self._enter(entry)
        for number, piece in enumerate(pieces):
            if len(piece) < sequences.min_turns:
                for turn in piece:
                    self._enter(_too_few(turn, len(piece), sequences.min_turns))
                continue
            title = turns[0]["dialogue"] + (f"#{piece[0]['index']}" if number else "")
            self._piece(title, piece, split)
            if self._config.split.valid_is_train:
                self._piece(title, piece, "valid")
            self._numbers.add(piece, split, sequences.history_turns)

    def _piece(self, title: str, turns: list[Record], split: str) -> None:
        s1 = s1_record(self._config.sequences, title, turns)
        if s1.targets:
            self._files[f"s1_{split}"].add(plain(s1))
        for s2 in s2_records(self._config.sequences, turns):
            self._files[f"s2_{split}"].add(vars(s2))

    def _enter(self, entry: Entry) -> None:
        self._tally.add(entry)
        self._files["ledger"].add(entry.as_json())


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


def _earlier(config: PrepareConfig) -> Iterator[Entry]:
    """What the steps before left out or noticed."""
    yield from step1_dialogues.load_entries(config)
    yield from step2_text.step(config).entries()
    yield from step3_speech.entries(config)
    yield from step4_semantic.step(config).entries()


def _too_few(turn: Record, length: int, limit: int) -> Entry:
    message = "the dialogue (or what a gap left of it) is too short"
    return Entry(
        turn["id"], turn["audio"], STAGE, "too_few_turns", message, length, limit, "dropped"
    )


def _done(config: PrepareConfig) -> str | None:
    path = config.folder / NAME / "step.json"
    return str(_read(path)["fingerprint"]) if path.is_file() else None


def _read(path: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fields


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="5")
