"""Step 3, recordings -> 32 kHz speech and features: `python -m prepare_datasets.step3_speech …`.

3_speech/audio/<id>.flac     32 kHz mono; 3_speech/turns.jsonl: id, audio, n_samples, seconds
3_speech/features/           raw 50 Hz features (F, D) by turn id, in shards

Raw features of a turn depend on that turn alone; step 4 sets them against what was heard before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import save_audio
from prepare_datasets import step1_dialogues, step2_text
from prepare_datasets.config import PrepareConfig
from prepare_datasets.features import FeatureRecipe, feature_recipe, raw_features
from prepare_datasets.jsonl import Record, fingerprint
from prepare_datasets.judge import Judge, Refused
from prepare_datasets.ledger import Entry
from prepare_datasets.limits import AudioLimits
from prepare_datasets.pipeline import Step, StepResult, aligned
from prepare_datasets.shards import SAFETENSORS_WRITING, write_shard
from prepare_datasets.work import Item, Outcome

NAME = "3_speech"
STAGE = "step3_speech"
VERSION = 2
SHARD_CUT = 8  # a shard ends after a dialogue whose hash is divisible by it: ~8 dialogues …
MAX_SHARD = 512  # … or after so many turns
WRITING = ".writing"


def step(config: PrepareConfig) -> Step:
    """The folder of the recordings."""
    return Step(config.folder / NAME, STAGE, number=3)


def features_step(config: PrepareConfig) -> Step:
    """The folder of the features."""
    folder = config.folder / NAME / "features"
    return Step(folder, f"{STAGE} features", number=3, file="index.jsonl")


def run(config: PrepareConfig) -> list[StepResult]:
    """Audio of every turn with phonemes, then the features where the tokens are not imported."""
    results = [run_audio(config)]
    if config.feature.kind != "imported_codes":
        results.append(run_features(config))
    return results


def run_audio(config: PrepareConfig) -> StepResult:
    """Judge and write each recording."""
    # What a killed run was writing.
    shutil.rmtree(config.folder / NAME / WRITING, ignore_errors=True)
    compute = partial(speech, config.raw_folder, config.folder, config.audio)
    result = step(config).run(
        lambda: _recordings(config),
        compute,
        executor=config.place,
        exists=lambda record: (config.folder / record["audio"]).is_file(),
        forget=lambda record: (config.folder / record["audio"]).unlink(missing_ok=True),
    )
    shutil.rmtree(config.folder / NAME / WRITING, ignore_errors=True)
    return result


def _recordings(config: PrepareConfig) -> Iterator[Item]:
    settings = fingerprint(VERSION, config.audio)
    for turn, spoken in aligned(step1_dialogues.load(config), step2_text.step(config).records()):
        payload = {"id": turn["id"], "audio": turn["audio"], "n_phonemes": len(spoken["ids"])}
        if turn.get("parts"):
            payload["parts"] = turn["parts"]
        yield Item(turn["id"], payload, fingerprint(settings, turn["origin"], payload))


def speech(raw: Path, output: Path, limits: AudioLimits, turn: dict[str, Any]) -> Outcome:
    """Read, judge and write one recording."""
    judge = Judge(limits, {"id": turn["id"], "path": turn["audio"], "stage": STAGE})
    audio = f"{NAME}/audio/{turn['id']}.flac"
    try:
        parts = turn.get("parts") or [(turn["audio"], 0.0, None)]
        stretches = [(raw / path, start, stop) for path, start, stop in parts]
        samples = judge.hear(stretches, turn["n_phonemes"])
    except Refused as refused:
        (output / audio).unlink(missing_ok=True)  # of an earlier state of the recording
        return Outcome(entries=(refused.entry, *judge.notices))
    # A kill leaves nothing beside the recordings: unfinished files have a folder of their own.
    writing = output / NAME / WRITING / f"{fingerprint(turn['id'])}.flac"
    save_audio(writing, samples)
    (output / audio).parent.mkdir(parents=True, exist_ok=True)
    os.replace(writing, output / audio)
    seconds = round(len(samples) / SAMPLE_RATE, 4)
    record = {"id": turn["id"], "audio": audio, "n_samples": len(samples), "seconds": seconds}
    return Outcome((record,), tuple(judge.notices))


def run_features(config: PrepareConfig) -> StepResult:
    """Raw features of each turn, some dialogues to a shard."""
    recipe, features = feature_recipe(config), features_step(config)
    result = features.run(
        lambda: _shards(config, recipe),
        partial(compute_shard, recipe, config.raw_folder, config.folder, features.folder),
        executor=config.place,
        unit="shard",
        exists=lambda record: (features.folder / record["shard"]).is_file(),
    )
    used = {record["shard"] for record in features.records()}
    for path in features.folder.iterdir():
        ours = path.name.startswith((".shard-", "shard-", SAFETENSORS_WRITING))
        if ours and path.name not in used:
            path.unlink()  # of an earlier state of these dialogues, or half written
    return result


def _shards(config: PrepareConfig, recipe: FeatureRecipe) -> Iterator[Item]:
    """Batches cut by the dialogues' names alone: the same for every executor and every resume."""
    identity = fingerprint(VERSION, recipe.identity(), config.audio)
    batch: list[Record] = []
    last = ""
    for turn, sound in aligned(step1_dialogues.load(config), step(config).records()):
        ended = turn["dialogue"] != last and (_ends_shard(last) or len(batch) >= MAX_SHARD)
        if batch and ended:
            yield _shard(batch, identity)
            batch = []
        last = turn["dialogue"]
        one = {"id": turn["id"], "audio": sound["audio"], "features": turn.get("features")}
        batch.append(one | {"origin": turn["origin"]})
    if batch:
        yield _shard(batch, identity)


def _shard(batch: list[Record], identity: str) -> Item:
    mark = fingerprint(identity, batch)
    payload = {"shard": f"shard-{mark}.safetensors", "turns": batch}
    return Item(batch[0]["id"], payload, mark)


def _ends_shard(dialogue: str) -> bool:
    """Where shards end depends on the dialogue alone: a new one moves no other shard's ends."""
    return hashlib.sha256(dialogue.encode()).digest()[0] % SHARD_CUT == 0


def compute_shard(
    recipe: FeatureRecipe, raw: Path, output: Path, folder: Path, batch: dict[str, Any]
) -> Outcome:
    """Features of a batch of turns as one shard; index lines as the feature store reads them."""
    arrays: dict[str, np.ndarray] = {}
    entries: list[Entry] = []
    made = raw_features(recipe, raw, output, batch["turns"])
    for turn, features in zip(batch["turns"], made, strict=True):
        message = "the features of this recording are missing or not finite"
        if isinstance(features, ValueError):  # of the extractor, which has tried fp32 by then
            features, message = None, str(features)
        if features is None or not np.isfinite(features).all():
            path = turn["features"] or turn["audio"]
            entries.append(Entry(turn["id"], path, STAGE, "bad_features", message))
            continue
        arrays[turn["id"]] = features
    if arrays:
        write_shard(folder / batch["shard"], arrays)
    records = [
        {"id": id_, "shard": batch["shard"], "shape": list(x.shape), "dtype": str(x.dtype)}
        for id_, x in arrays.items()
    ]
    return Outcome(tuple(records), tuple(entries))


def entries(config: PrepareConfig) -> Iterator[Entry]:
    """What this step left out: recordings, then features."""
    yield from step(config).entries()
    yield from features_step(config).entries()


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="3")
