"""speakers.json: every voice of a prepared corpus, with the turns that stand for it.

    {"schema_version": 1, "speakers": {id: {
        "turns", "seconds", "hours", "mean_seconds", "languages", "train", "valid": how many turns,
        "manifests": {"train": path, "valid": path},
        "medoid": clip, "references": {style: clip}}}}        clip: {id, audio, seconds, text}

The medoid is the training turn nearest to all others of its speaker: the least sum of squared
distances, which is the turn nearest to their mean, so that one pass finds the mean and a second the
turn. A turn is a point: mean and spread of its features (of its tokens where codes are imported),
each dimension scaled by its spread over the corpus. Only clips of 2-5 s are taken as references,
where the speaker has any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from prepare_datasets.config import PrepareConfig
from prepare_datasets.jsonl import Record, read_jsonl, write_json
from prepare_datasets.shards import SUMMARY, Shards

N_CODES = 1024


@dataclass
class _Voice:
    """What is known of one speaker while turns pass by."""

    total: np.ndarray
    """Sum of the points of its turns."""
    turns: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    languages: Counter[str] = field(default_factory=Counter)
    best: dict[str, tuple[tuple[bool, float, str], Record]] = field(default_factory=dict)


def write_speakers(config: PrepareConfig) -> None:
    """Two passes over the kept turns; memory grows with the speakers, not with the turns."""
    voices: dict[str, _Voice] = {}
    total = squares = np.zeros(0)
    count = 0
    for split, turn, point in _turns(config):
        voice = voices.setdefault(turn["speaker"], _Voice(np.zeros_like(point)))
        voice.turns[split] += 1
        voice.seconds += turn["seconds"]
        voice.languages[turn["language"]] += 1
        voice.total = voice.total + point
        total = total + point if count else point
        squares = squares + point**2 if count else point**2
        count += 1
    spread = np.sqrt(np.maximum(squares / max(1, count) - (total / max(1, count)) ** 2, 1e-8))
    for split, turn, point in _turns(config):
        voice = voices[turn["speaker"]]
        if split == "train" or not voice.turns["train"]:
            _consider(config, voice, turn, point, spread)
    speakers = {name: _as_json(voice) for name, voice in sorted(voices.items())}
    write_json(config.folder / "speakers.json", {"schema_version": 1, "speakers": speakers})


def _consider(
    config: PrepareConfig, voice: _Voice, turn: Record, point: np.ndarray, spread: np.ndarray
) -> None:
    """Keep the turn where it is the best so far, for its speaker and for its style."""
    limits = config.speakers
    mean = voice.total / voice.turns.total()
    distance = float(np.sum(((point - mean) / spread) ** 2))
    fits = limits.min_seconds <= turn["seconds"] <= limits.max_seconds
    rank = (not fits, distance, turn["id"])
    names = ["", (turn.get("style") or {}).get("name", "")]
    for name in dict.fromkeys(names):
        if name not in voice.best or rank < voice.best[name][0]:
            voice.best[name] = (rank, turn)


def _turns(config: PrepareConfig) -> Iterator[tuple[str, Record, np.ndarray]]:
    """(split, turn, point) of every kept turn, read from what training reads."""
    folder = config.folder
    for split in ("train", "valid"):
        if split == "valid" and config.split.valid_is_train:
            continue
        index = read_jsonl(folder / "3_speech" / "features" / "index.jsonl")
        shards = Shards(folder / "3_speech" / "features")
        for turn in _with_text(config, split):
            if config.feature.kind == "imported_codes":
                counts = np.bincount(turn["codes"], minlength=N_CODES)
                yield split, turn, counts / counts.sum()
                continue
            # Both are in the corpus's order; the index has turns that were dropped later, too.
            place = next(one for one in index if one["id"] == turn["id"])
            yield split, turn, shards.read(place["shard"], SUMMARY + turn["id"]).astype(float)


def _with_text(config: PrepareConfig, split: str) -> Iterator[Record]:
    """s2 lines of a split with what `turns.jsonl` says of the same turn."""
    lines = read_jsonl(config.folder / "5_sequences" / f"s2_{split}.jsonl")
    told = read_jsonl(config.folder / "1_dialogues" / "turns.jsonl")
    sounds = read_jsonl(config.folder / "3_speech" / "turns.jsonl")
    for line in lines:
        turn = next(one for one in told if one["id"] == line["id"])
        sound = next(one for one in sounds if one["id"] == line["id"])
        yield turn | line | {"seconds": sound["seconds"]}


def _as_json(voice: _Voice) -> dict[str, Any]:
    count = voice.turns.total()
    return {
        "turns": count,
        "seconds": round(voice.seconds, 3),
        "hours": round(voice.seconds / 3600, 4),
        "mean_seconds": round(voice.seconds / count, 3),
        "languages": dict(sorted(voice.languages.items())),
        "train": voice.turns["train"],
        "valid": voice.turns["valid"],
        "manifests": {split: f"5_sequences/s2_{split}.jsonl" for split in ("train", "valid")},
        "medoid": _clip(voice.best[""][1]),
        "references": {name: _clip(turn) for name, (_, turn) in sorted(voice.best.items()) if name},
    }


def _clip(turn: Record) -> dict[str, Any]:
    return {key: turn[key] for key in ("id", "audio", "seconds", "text")}
