"""Step 4, features -> semantic tokens: `python -m prepare_datasets.step4_semantic --config …`.

4_semantic/tokenizer.safetensors   statistics and quantizer: fitted once on the train split, frozen
4_semantic/turns.jsonl             id, codes: 25 per second
4_semantic/report.json             usage of the codes, what two simple probes read from them

Imported codes pass through; their quantizer is known by name only, which gives the quantizer_id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.features.encode import TurnEncoder
from GPT_SoVITS.features.statistics import FeatureStatistics
from prepare_datasets import step1_dialogues, step3_speech
from prepare_datasets.config import PrepareConfig
from prepare_datasets.errors import NothingUsable
from prepare_datasets.features import FeatureRecipe, feature_recipe
from prepare_datasets.fitting import TOKENIZER, fit_tokenizer, take_tokenizer
from prepare_datasets.jsonl import Record, fingerprint
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import Step, StepResult, aligned
from prepare_datasets.sampling import sample_dialogues
from prepare_datasets.shards import SAFETENSORS_WRITING, Sample, Shards
from prepare_datasets.splits import Split, by_dialogue, titled
from prepare_datasets.table_size import open_frozen, sized
from prepare_datasets.token_report import write_token_report
from prepare_datasets.work import Item, Outcome

NAME = "4_semantic"
STAGE = "step4_semantic"
VERSION = 2
MAX_CODE = 1023


@dataclass(frozen=True)
class Place:
    """Where a worker finds what it encodes with; `mark` changes when any of it does."""

    tokenizer: Path
    features: Path
    recipe: FeatureRecipe
    mark: str


def step(config: PrepareConfig) -> Step:
    """The folder of this step."""
    return Step(config.folder / NAME, STAGE, number=4)


def run(config: PrepareConfig) -> StepResult:
    """Tokens of every turn that has features (or imported codes). Raises `NothingUsable`."""
    if config.feature.kind == "imported_codes":
        result = step(config).run(lambda: _imports(config), imported, executor=config.place)
    else:
        result = _encode(config)
    if next(step(config).records(), None) is None:
        raise NothingUsable("no turn has tokens")
    write_token_report(config, step(config), quantizer_id(config))
    return result


def quantizer_id(config: PrepareConfig) -> str:
    """Which quantizer made this data set's codes."""
    if config.feature.kind == "imported_codes":
        return hashlib.sha256(f"published:{config.feature.origin}".encode()).hexdigest()[:16]
    return open_frozen(config)[1].quantizer_id


def _imports(config: PrepareConfig) -> Iterator[Item]:
    quantizer = quantizer_id(config)
    for turn, _ in aligned(step1_dialogues.load(config), step3_speech.step(config).records()):
        payload = {key: turn[key] for key in ("id", "audio", "codes")}
        yield Item(turn["id"], payload, fingerprint(VERSION, quantizer, payload))


def imported(turn: dict[str, Any]) -> Outcome:
    """Codes as they came, if they can be codes."""
    codes = turn["codes"]
    if not codes or min(codes) < 0 or max(codes) > MAX_CODE:
        message = "imported codes are empty or outside 0-1023"
        return Outcome(entries=(Entry(turn["id"], turn["audio"], STAGE, "bad_codes", message),))
    return Outcome(({"id": turn["id"], "codes": codes},))


def _encode(config: PrepareConfig) -> StepResult:
    recipe, features = feature_recipe(config), step3_speech.features_step(config)
    if next(features.records(), None) is None:
        raise NothingUsable("no recording is left after step 3")
    tokenizer = config.folder / NAME / TOKENIZER
    for pattern in (f".{TOKENIZER}.*", f"{SAFETENSORS_WRITING}*"):
        for path in tokenizer.parent.glob(pattern):
            path.unlink()  # what a killed run was writing
    if config.quantizer.tokenizer:
        take_tokenizer(config)
    elif config.refit or not tokenizer.is_file():
        _fit(config, recipe)
    _, header = open_frozen(config)
    made_with = fingerprint(VERSION, header.quantizer_id, header.statistics)
    place = Place(tokenizer, features.folder, recipe, fingerprint(made_with, features.mark()))
    return step(config).run(
        lambda: _stretches(config, made_with),
        partial(encode, place),
        executor=config.place,
        unit="dialogue",
    )


def _fit(config: PrepareConfig, recipe: FeatureRecipe) -> None:
    """Fit on the first training dialogues in the seed's order, as many as the sample asks for."""
    split = Split(_dialogues(config), config.split)
    train = (
        (title, stretch, sum(turn["shape"][0] for turn in stretch))
        for turns in _dialogues(config)
        if not split.is_valid(turns)
        for title, stretch in titled(turns, config.sequences.gaps)
    )
    settings = config.quantizer
    sample = sample_dialogues(train, enough=2 * settings.sample, seed=settings.seed)
    kept = [turn for stretch in sample.values() for turn in stretch]
    store: Any = Sample(step3_speech.features_step(config).folder, kept)
    fitted = sized(config, sum(turn["shape"][0] // 2 for turn in kept))
    fit_tokenizer(fitted, recipe, sample, store)


def _dialogues(config: PrepareConfig) -> Iterator[list[Record]]:
    """Turns with features, dialogue by dialogue: what of them this step needs."""
    keys = ("id", "dialogue", "index", "speaker", "audio", "origin")
    index = step3_speech.features_step(config).records()
    yield from by_dialogue(
        {key: turn[key] for key in keys} | {"shard": one["shard"], "shape": one["shape"]}
        for turn, one in aligned(step1_dialogues.load(config), index)
    )


def _stretches(config: PrepareConfig, made_with: str) -> Iterator[Item]:
    """A stretch's tokens follow from its recordings and speakers, in order."""
    identity = fingerprint(made_with, feature_recipe(config).identity(), config.audio)
    for turns in _dialogues(config):
        for title, stretch in titled(turns, config.sequences.gaps):
            payload = [[t["id"], t["speaker"], t["audio"], t["shard"]] for t in stretch]
            made_from = [(t["id"], t["speaker"], t["origin"]) for t in stretch]
            yield Item(title, payload, fingerprint(identity, made_from))


@lru_cache(maxsize=2)
def _tools(place: Place) -> tuple[TurnEncoder, Shards]:
    """One per process."""
    tokenizer, header = load_tokenizer(place.tokenizer)
    statistics = FeatureStatistics.from_json(header.statistics) if header.statistics else None
    return place.recipe.encoder(statistics, tokenizer.encode), Shards(place.features)


def encode(place: Place, members: list[tuple[str, str, str, str]]) -> Outcome:
    """A dialogue's turns in order, each against what was heard before it, as in a session."""
    encoder, shards = _tools(place)
    state = encoder.start()
    records, entries = [], []
    for turn, speaker, audio, shard in members:
        features, state = encoder.advance(shards.read(shard, turn), speaker, state)
        codes = encoder.tokens(features)
        if len(codes):
            records.append({"id": turn, "codes": codes.tolist()})
        else:
            message = "shorter than one token"
            entries.append(Entry(turn, audio, STAGE, "too_short", message, 0, 1))
    return Outcome(tuple(records), tuple(entries))


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="4")
