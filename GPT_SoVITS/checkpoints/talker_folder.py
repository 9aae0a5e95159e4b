"""A talker: one folder with everything speaking needs. Written part by part, read as a whole.

    talker/
      s1.safetensors          semantic GPT
      s2.safetensors          conversational VITS
      tokenizer.safetensors   projection + table + feature config + prior statistics (step 4)
      sv.safetensors          speaker network, v2Pro and v2ProPlus only
      talker.json             {"schema_version": 1, text settings, options, feature folders}
      speakers.json           {"schema_version": 1, "speakers": {name: {"clip": …, "seconds": …}}}
      speakers/*.wav          the medoid reference clip of each speaker

Parts that do not belong together (quantizer_id, symbol version, tags) are refused: their numbers
would fit, their meaning would not.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from GPT_SoVITS.atomic import replacing, write_text
from GPT_SoVITS.checkpoints.container import inspect_safetensors
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import read_header
from GPT_SoVITS.checkpoints.header import ModelHeader

S1_FILE = "s1.safetensors"
S2_FILE = "s2.safetensors"
TOKENIZER_FILE = "tokenizer.safetensors"
SPEAKER_FILE = "sv.safetensors"
SETTINGS_FILE = "talker.json"
SPEAKERS_FILE = "speakers.json"
CLIPS_FOLDER = "speakers"
MAX_JSON_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class SpeakerEntry:
    """A known speaker and the clip that stands for the voice."""

    clip: Path
    """Reference audio, inside the talker folder."""
    seconds: float = 0.0
    """Length of the clip in seconds."""
    turn: str = ""
    """Id of the training turn the clip is from."""


@dataclass(frozen=True)
class TalkerFolder:
    """Paths and headers of a checked talker folder; the weights are not read yet."""

    folder: Path
    s1: ModelHeader
    s2: ModelHeader
    feature: Mapping[str, Any]
    quantizer_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    speakers: Mapping[str, SpeakerEntry] = field(default_factory=dict)

    @property
    def s1_path(self) -> Path:
        """File of the semantic GPT."""
        return self.folder / S1_FILE

    @property
    def s2_path(self) -> Path:
        """File of the conversational VITS."""
        return self.folder / S2_FILE

    @property
    def tokenizer_path(self) -> Path | None:
        """File of the semantic tokenizer; None where s2 carries it (imported base weights)."""
        path = self.folder / TOKENIZER_FILE
        return path if path.is_file() else None


def write_talker(
    folder: str | Path,
    *,
    tokenizer: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    speakers: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write or extend a talker folder; the two networks are written by ``save_model``.

    ``tokenizer`` is copied in. ``settings`` are merged into ``talker.json``. ``speakers`` maps a
    name to
    ``{"clip": path of an audio file, "seconds": …, "turn": …}``; the clips are copied into the
    folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        inspect_safetensors(tokenizer)
        copy_atomic(Path(tokenizer), folder / TOKENIZER_FILE)
    if settings is not None:
        path = folder / SETTINGS_FILE
        merged = read_json(path) if path.is_file() else {}
        write_json(path, {"schema_version": 1} | merged | dict(settings))
    if speakers is not None:
        entries: dict[str, dict[str, Any]] = {}
        for number, (name, entry) in enumerate(sorted(speakers.items())):
            clip = Path(entry["clip"])
            stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:40] or "speaker"
            target = folder / CLIPS_FOLDER / f"{number:04d}_{stem}{clip.suffix.lower()}"
            target.parent.mkdir(exist_ok=True)
            copy_atomic(clip, target)
            entries[name] = dict(entry) | {"clip": target.relative_to(folder).as_posix()}
        write_json(folder / SPEAKERS_FILE, {"schema_version": 1, "speakers": entries})
    return folder


def feature_folders(talker: str | Path, *, seen_from: str | Path) -> dict[str, str]:
    """Where a talker's HuBERT and BERT lie, as another folder's ``talker.json`` says it.

    Of a model file instead of a folder, its neighbours count; empty where nothing is noted.
    """
    talker = Path(talker)
    folder = talker if talker.is_dir() else talker.parent
    if not (folder / SETTINGS_FILE).is_file():
        return {}
    noted = read_json(folder / SETTINGS_FILE)
    places = {name: noted[name] for name in ("hubert", "bert") if isinstance(noted.get(name), str)}
    return {
        name: os.path.relpath((folder / place).resolve(), Path(seen_from).resolve())
        for name, place in places.items()
    }


def read_talker(folder: str | Path) -> TalkerFolder:
    """Check a talker folder: parts present, headers readable, parts made for each other.

    Raises `CheckpointError`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such talker folder; train one or import a checkpoint")
    for name, made_by in ((S1_FILE, "train_s1.py"), (S2_FILE, "train_s2.py")):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder}: {name} is missing; `python {made_by} --config …` writes it"
            )
    s1, s2 = read_header(folder / S1_FILE), read_header(folder / S2_FILE)
    for name, header, kind in ((S1_FILE, s1, "s1"), (S2_FILE, s2, "s2")):
        if header.kind != kind:
            raise CheckpointError(f"{folder / name}: holds an {header.kind} model")
    feature: Mapping[str, Any] = s2.feature
    quantizer_id = s2.quantizer_id
    check_match(folder, "quantizer_id", {S1_FILE: s1.quantizer_id, S2_FILE: s2.quantizer_id})
    if (folder / TOKENIZER_FILE).is_file():
        facts = inspect_safetensors(folder / TOKENIZER_FILE).header
        found = str(facts.get("quantizer_id", ""))
        check_match(folder, "quantizer_id", {TOKENIZER_FILE: found, S2_FILE: s2.quantizer_id})
        feature, quantizer_id = facts.get("feature") or s2.feature, found or quantizer_id
    check_match(folder, "symbols", {S1_FILE: s1.symbols, S2_FILE: s2.symbols})
    check_match(folder, "tags", {S1_FILE: s1.tags, S2_FILE: s2.tags}, empty_matches=False)
    settings = read_json(folder / SETTINGS_FILE) if (folder / SETTINGS_FILE).is_file() else {}
    return TalkerFolder(
        folder=folder,
        s1=s1,
        s2=s2,
        feature=feature,
        quantizer_id=quantizer_id,
        settings=settings,
        speakers=_read_speakers(folder),
    )


def check_match(
    folder: str | Path, what: str, values: Mapping[str, Any], *, empty_matches: bool = True
) -> None:
    """Raise unless all ``values`` (part -> value) are equal; an unstated value may match any."""
    stated = {part: v for part, v in values.items() if v or not empty_matches}
    if len(set(stated.values())) > 1:
        said = ", ".join(f"{part} says {value!r}" for part, value in stated.items())
        raise CheckpointError(
            f"{folder}: {what} differs: {said}. These parts were trained apart and do not fit."
        )


def _read_speakers(folder: Path) -> dict[str, SpeakerEntry]:
    path = folder / SPEAKERS_FILE
    if not path.is_file():
        return {}
    entries = read_json(path).get("speakers", {})
    speakers: dict[str, SpeakerEntry] = {}
    for name, entry in entries.items():
        clip = folder / str(entry["clip"]) if isinstance(entry, dict) and "clip" in entry else None
        if clip is None or not clip.resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(f"{path}: the clip of speaker {name!r} must lie in the folder")
        seconds, turn = float(entry.get("seconds", 0.0)), str(entry.get("turn", ""))
        speakers[name] = SpeakerEntry(clip=clip, seconds=seconds, turn=turn)
    return speakers


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of sane size. Raises `CheckpointError`."""
    if path.stat().st_size > MAX_JSON_BYTES:
        raise CheckpointError(f"{path}: larger than {MAX_JSON_BYTES} bytes")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path}: must hold a JSON object")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON complete or not at all."""
    write_text(path, json.dumps(values, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def copy_atomic(source: Path, target: Path) -> None:
    """Copy a file; ``target`` is complete or absent. Copying onto itself does nothing."""
    if target.exists() and source.resolve() == target.resolve():
        return
    with replacing(target) as partial:
        shutil.copyfile(source, partial)
