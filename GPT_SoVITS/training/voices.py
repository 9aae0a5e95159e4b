"""The turns that stand for each voice of a prepared corpus, for training and for the talker.

    speakers.json of the corpus     medoid, and a clip of each labelled style
    talker/speakers.json            {"amy": clip, "amy#angry": clip, …}

A corpus prepared without that file has the turn nearest to three seconds instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from GPT_SoVITS.training.prepared import DataError, PreparedData

FILE = "speakers.json"
SECONDS = 3.0


def medoids(data: PreparedData) -> dict[str, dict[str, Any]]:
    """{speaker: line of the training manifest} of the turns that stand for the voices."""
    told = _told(data)
    if told is None:
        return _nearest_in_length(data)
    wanted = {voice["medoid"]["id"]: speaker for speaker, voice in told.items()}
    found = {}
    for split in ("train", "valid"):
        for record in _lines(data, split):
            if speaker := wanted.pop(record["id"], None):
                found[speaker] = record
    return found


def reference_clips(data: PreparedData) -> dict[str, dict[str, Any]]:
    """What ``write_talker`` takes: {name: {clip, seconds, turn}}, styles as ``speaker#style``."""
    told = _told(data)
    if told is None:
        return {
            name: _clip(data, record["id"], record["audio"], len(record["codes"]) / 25)
            for name, record in _nearest_in_length(data).items()
        }
    clips = {}
    for name, voice in told.items():
        if not voice["train"]:
            continue  # not heard in training: the talker does not know it
        named = {name: voice["medoid"]}
        named |= {f"{name}#{style}": clip for style, clip in voice["references"].items()}
        for full, clip in named.items():
            clips[full] = _clip(data, clip["id"], clip["audio"], clip["seconds"])
    return clips


def _told(data: PreparedData) -> dict[str, Any] | None:
    """What speakers.json says of each voice; None without the file."""
    path = data.folder / FILE
    if not path.is_file():
        return None
    try:
        speakers = json.loads(path.read_text(encoding="utf-8"))["speakers"]
        return {
            name: {
                "train": int(voice["train"]),
                "medoid": dict(voice["medoid"]),
                "references": dict(voice["references"]),
            }
            for name, voice in speakers.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error!r}); run step 5 again") from None


def _nearest_in_length(data: PreparedData) -> dict[str, dict[str, Any]]:
    best: dict[str, tuple[float, dict[str, Any]]] = {}
    for record in _lines(data, "train"):
        distance = abs(len(record["codes"]) / 25 - SECONDS)
        if record["speaker"] not in best or distance < best[record["speaker"]][0]:
            best[record["speaker"]] = (distance, record)
    return {speaker: record for speaker, (_, record) in best.items()}


def _lines(data: PreparedData, split: str) -> Iterator[dict[str, Any]]:
    path = data.folder / "5_sequences" / f"s2_{split}.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as file:
        yield from (json.loads(line) for line in file if line.strip())


def _clip(data: PreparedData, turn: str, audio: str, seconds: float) -> dict[str, Any]:
    return {"clip": str(data.folder / audio), "seconds": seconds, "turn": turn}
