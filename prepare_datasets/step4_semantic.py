"""Step 4, features -> semantic tokens: `python -m prepare_datasets.step4_semantic --config …`.

4_semantic/tokenizer.safetensors   statistics and quantizer: fitted once on the train split, frozen
4_semantic/turns.jsonl             id, codes: 25 per second
4_semantic/report.json             usage of the codes, what two simple probes read from them

Imported codes pass through; their quantizer is known by name only, which gives the quantizer_id.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.features.encode import TurnEncoder
from GPT_SoVITS.features.statistics import FeatureStatistics
from GPT_SoVITS.features.store import FeatureStore
from prepare_datasets import step1_dialogues, step2_text, step3_speech
from prepare_datasets.config import PrepareConfig
from prepare_datasets.features import FeatureRecipe, feature_recipe
from prepare_datasets.fitting import TOKENIZER, fit_tokenizer, open_tokenizer
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import (
    Item,
    Outcome,
    PrepareError,
    Record,
    Step,
    StepResult,
    fingerprint,
    log,
    read_jsonl,
    write_json,
)
from prepare_datasets.probes import probe
from prepare_datasets.splits import group, runs, valid_dialogues

NAME = "4_semantic"
STAGE = "step4_semantic"
VERSION = 1
MAX_CODE = 1023


@dataclass(frozen=True)
class Place:
    """Where a worker finds what it encodes with; `mark` changes when any of it does."""

    tokenizer: Path
    features: Path
    recipe: FeatureRecipe
    mark: str


def run(config: PrepareConfig) -> StepResult:
    """Tokens of every turn that has features (or imported codes)."""
    if config.feature.kind == "imported_codes":
        result = _import_codes(config)
    else:
        result = _encode(config)
    _report(config, result.records)
    return result


def quantizer_id(config: PrepareConfig) -> str:
    """Which quantizer made this data set's codes."""
    if config.feature.kind == "imported_codes":
        return hashlib.sha256(f"published:{config.feature.origin}".encode()).hexdigest()[:16]
    return open_tokenizer(config)[1].quantizer_id


def _import_codes(config: PrepareConfig) -> StepResult:
    spoken = {record["id"] for record in step3_speech.load(config)}
    items = []
    for turn in step1_dialogues.load(config).records:
        if turn["id"] in spoken:
            payload = {key: turn[key] for key in ("id", "audio", "codes")}
            mark = fingerprint(VERSION, quantizer_id(config), payload)
            items.append(Item(turn["id"], payload, mark))
    return Step(config.folder / NAME, STAGE).run(items, imported, workers=1)


def imported(turn: dict[str, Any]) -> Outcome:
    """Codes as they came, if they can be codes."""
    codes = turn["codes"]
    if not codes or min(codes) < 0 or max(codes) > MAX_CODE:
        message = "imported codes are empty or outside 0-1023"
        return Outcome(entries=(Entry(turn["id"], turn["audio"], STAGE, "bad_codes", message),))
    return Outcome(({"id": turn["id"], "codes": codes},))


def _encode(config: PrepareConfig) -> StepResult:
    recipe = feature_recipe(config)
    folder = config.folder / step3_speech.NAME / "features"
    index = {record["id"]: record for record in read_jsonl(folder / "index.jsonl")}
    if not index:
        raise PrepareError(f"{folder} has no features; run --steps 3 first")
    turns = [turn for turn in step1_dialogues.load(config).records if turn["id"] in index]
    dialogues = {
        f"{name}#{stretch[0]['index']}" if number else name: stretch
        for name, members in group(turns).items()
        for number, stretch in enumerate(runs(members, config.sequences.gaps)[0])
    }
    tokenizer = config.folder / NAME / TOKENIZER
    if config.refit or not tokenizer.is_file():
        held_out = valid_dialogues(group(turns), config.split)
        train = {k: v for k, v in dialogues.items() if v[0]["dialogue"] not in held_out}
        fit_tokenizer(config, recipe, train, FeatureStore(folder))
    _, header = open_tokenizer(config)
    made_with = fingerprint(header.quantizer_id, header.statistics)
    items = []
    for name, stretch in dialogues.items():
        # A turn is named with the shard it is in: shards are named after what they hold.
        members = [(t["id"], t["speaker"], t["audio"], index[t["id"]]["shard"]) for t in stretch]
        items.append(Item(name, members, fingerprint(VERSION, made_with, members)))
    mark = fingerprint(made_with, sorted(record["shard"] for record in index.values()))
    place = Place(tokenizer, folder, recipe, mark)
    step = Step(config.folder / NAME, STAGE)
    return step.run(items, partial(encode, place), workers=config.workers, unit="dialogue")


@lru_cache(maxsize=2)
def _tools(place: Place) -> tuple[TurnEncoder, FeatureStore]:
    """One per process."""
    tokenizer, header = load_tokenizer(place.tokenizer)
    statistics = FeatureStatistics.from_json(header.statistics) if header.statistics else None
    return place.recipe.encoder(statistics, tokenizer.encode), FeatureStore(place.features)


def encode(place: Place, members: list[tuple[str, str, str, str]]) -> Outcome:
    """A dialogue's turns in order, each against what was heard before it, as in a session."""
    encoder, store = _tools(place)
    state = encoder.start()
    records, entries = [], []
    for turn, speaker, audio, _ in members:
        features, state = encoder.advance(store[turn], speaker, state)
        codes = encoder.tokens(features)
        if len(codes):
            records.append({"id": turn, "codes": codes.tolist()})
        else:
            message = "shorter than one token"
            entries.append(Entry(turn, audio, STAGE, "too_short", message, 0, 1))
    return Outcome(tuple(records), tuple(entries))


def _report(config: PrepareConfig, records: list[Record]) -> None:
    turns = {turn["id"]: turn for turn in step1_dialogues.load(config).records}
    phonemes = {record["id"]: record["phonemes"] for record in step2_text.load(config)}
    table = None
    if config.feature.kind != "imported_codes":
        table = open_tokenizer(config)[0].quantizer.embed.numpy()
    n_codes = MAX_CODE + 1 if table is None else len(table)
    found = probe(records, turns, phonemes, n_codes=n_codes, table=table)
    write_json(config.folder / NAME / "report.json", {"quantizer_id": quantizer_id(config)} | found)
    log.info("%s: %s", NAME, json.dumps(found))


def load(config: PrepareConfig) -> list[Record]:
    """What this step wrote."""
    return Step(config.folder / NAME, STAGE).load(4)


def entries(config: PrepareConfig) -> list[Entry]:
    """What this step left out."""
    return Step(config.folder / NAME, STAGE).entries()


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="4")
