"""Step 3, recordings -> 32 kHz speech and features: `python -m prepare_datasets.step3_speech …`.

3_speech/audio/<id>.flac     32 kHz mono; 3_speech/turns.jsonl: id, audio, n_samples, seconds
3_speech/features/           raw 50 Hz features (F, D) by turn id, in shards

Raw features of a turn depend on that turn alone; step 4 sets them against what was heard before.
"""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.io import AudioError, load_audio, save_audio
from prepare_datasets import step1_dialogues, step2_text
from prepare_datasets.config import AudioLimits, PrepareConfig
from prepare_datasets.features import FeatureRecipe, feature_recipe, raw_features
from prepare_datasets.judge import judge, limit_peak
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import Item, Outcome, Record, Step, StepResult, fingerprint

NAME = "3_speech"
STAGE = "step3_speech"
VERSION = 1
SHARD_CUT = 8  # a shard ends after a dialogue whose hash is divisible by it: ~8 dialogues


def run(config: PrepareConfig) -> StepResult:
    """Audio of every turn with phonemes, then the features where the tokens are not imported."""
    speech = run_audio(config)
    if config.feature.kind != "imported_codes":
        run_features(config, speech)
    return speech


def run_audio(config: PrepareConfig) -> StepResult:
    """Judge and write each recording."""
    dialogues = step1_dialogues.load(config)
    spoken = {record["id"]: record for record in step2_text.load(config)}
    items = []
    for turn in dialogues.records:
        if turn["id"] not in spoken:
            continue
        n_phonemes = len(spoken[turn["id"]]["ids"])
        payload = {"id": turn["id"], "audio": turn["audio"], "n_phonemes": n_phonemes}
        mark = fingerprint(VERSION, config.audio, turn["origin"], payload)
        items.append(Item(turn["id"], payload, mark))
    folder = config.folder / NAME
    compute = partial(speech, config.raw_folder, config.folder, config.audio)

    def exists(record: Record) -> bool:
        return (config.folder / record["audio"]).is_file()

    return Step(folder, STAGE).run(items, compute, workers=config.workers, exists=exists)


def speech(raw: Path, output: Path, limits: AudioLimits, turn: dict[str, Any]) -> Outcome:
    """Read, judge and write one recording."""
    where = {"id": turn["id"], "path": turn["audio"], "stage": STAGE}
    try:
        samples = load_audio(raw / turn["audio"])
    except (AudioError, OSError) as error:
        message = str(error).replace(str(raw), "").lstrip("/")
        code = "non_finite" if "NaN" in message else "unreadable_audio"
        return Outcome(entries=(Entry(**where, code=code, message=message),))
    refusal = judge(samples, turn["n_phonemes"], limits, where=where)
    if refusal is not None:
        return Outcome(entries=(refusal,))
    samples, notice = limit_peak(samples, where=where)
    audio = f"{NAME}/audio/{turn['id']}.flac"
    save_audio(output / audio, samples)
    record = {"id": turn["id"], "audio": audio, "n_samples": len(samples)}
    record["seconds"] = round(len(samples) / 32000, 4)
    return Outcome((record,), () if notice is None else (notice,))


def run_features(config: PrepareConfig, speech_step: StepResult) -> StepResult:
    """Raw features of each turn, some dialogues to a shard."""
    recipe = feature_recipe(config)
    turns = {turn["id"]: turn for turn in step1_dialogues.load(config).records}
    batches: list[list[dict[str, Any]]] = [[]]
    last = ""
    for record in speech_step.records:
        turn = turns[record["id"]]
        if batches[-1] and turn["dialogue"] != last and _ends_shard(last):
            batches.append([])
        last = turn["dialogue"]
        one = {"id": turn["id"], "audio": record["audio"], "features": turn.get("features")}
        batches[-1].append(one | {"mark": speech_step.fingerprints[turn["id"]]})
    items = []
    for batch in batches:
        mark = fingerprint(VERSION, recipe.identity(), batch)
        payload = {"shard": f"shard-{mark}.safetensors", "turns": batch}
        items.append(Item(batch[0]["id"], payload, mark))
    folder = config.folder / NAME / "features"
    compute = partial(write_shard, recipe, config.raw_folder, config.folder, folder)
    step = Step(folder, f"{STAGE} features", file="index.jsonl")
    result = step.run(
        items,
        compute,
        workers=config.workers,
        unit="shard",
        exists=lambda record: (folder / record["shard"]).is_file(),
    )
    used = {record["shard"] for record in result.records}
    for shard in folder.glob("shard-*.safetensors"):
        if shard.name not in used:
            shard.unlink()  # of an earlier state of these dialogues
    return result


def _ends_shard(dialogue: str) -> bool:
    """Where shards end depends on the dialogue alone: a new one moves no other shard's ends."""
    return hashlib.sha256(dialogue.encode()).digest()[0] % SHARD_CUT == 0


def write_shard(
    recipe: FeatureRecipe, raw: Path, output: Path, folder: Path, batch: dict[str, Any]
) -> Outcome:
    """Features of a batch of turns as one shard; index lines as the feature store reads them."""
    arrays: dict[str, np.ndarray] = {}
    entries: list[Entry] = []
    for turn in batch["turns"]:
        features = raw_features(recipe, raw, output, turn)
        if features is None or not np.isfinite(features).all():
            message = "the features of this recording are missing or not finite"
            path = turn["features"] or turn["audio"]
            entries.append(Entry(turn["id"], path, STAGE, "bad_features", message))
            continue
        arrays[turn["id"]] = np.ascontiguousarray(features)  # safetensors ignores strides
    if arrays:
        _save(folder / batch["shard"], arrays)
    records = [
        {"id": id_, "shard": batch["shard"], "shape": list(x.shape), "dtype": str(x.dtype)}
        for id_, x in arrays.items()
    ]
    return Outcome(tuple(records), tuple(entries))


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    partial_path = path.with_name(f".{path.name}.partial")
    save_file(arrays, str(partial_path))
    partial_path.replace(path)


def load(config: PrepareConfig) -> list[Record]:
    """What this step wrote."""
    return Step(config.folder / NAME, STAGE).load(3)


def entries(config: PrepareConfig) -> list[Entry]:
    """What this step left out: recordings, then features."""
    audio = Step(config.folder / NAME, STAGE).entries()
    return audio + Step(config.folder / NAME / "features", STAGE, file="index.jsonl").entries()


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="3")
