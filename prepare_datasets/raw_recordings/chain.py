"""The stages one after the other, for each recording of a folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from GPT_SoVITS.audio.io import AudioError, save_audio
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, write_json, write_text
from prepare_datasets.ledger import Entry
from prepare_datasets.raw_recordings.dialogues import (
    DialogueLimits,
    dialogues,
    first_speaker_is_zero,
)
from prepare_datasets.raw_recordings.extract import SOUND, VIDEO, extract
from prepare_datasets.raw_recordings.scenes import SceneLimits, scenes
from prepare_datasets.raw_recordings.separation import separation, voice_ratio_db
from prepare_datasets.raw_recordings.stages import RATE, Region, SpokenTurn
from prepare_datasets.raw_recordings.transcripts import transcriber
from prepare_datasets.raw_recordings.turns import speaker_turns
from prepare_datasets.raw_recordings.voice_activity import voice_activity
from prepare_datasets.readers.files import Walk

log = logging.getLogger("prepare_datasets")
STAGE = "raw_recordings"


@dataclass(frozen=True)
class RawConfig:
    """Folders, engines and thresholds of the chain."""

    raw: str
    """Folder of recordings or films, searched to the bottom."""
    output: str
    """Folder for the dialogues, in NCSSD's layout."""
    voice_activity: Literal["energy", "webrtc", "silero"] = "energy"
    voice_activity_model: str | None = None
    """Local file, of silero."""
    separation: Literal["none", "demucs"] = "none"
    separation_model: str | None = None
    """Local folder, of demucs."""
    min_voice_ratio_db: float | None = 4.0
    """Scenes whose voices are less than this above the background are left out. (NCSSD's code
    deletes those at or below 4 dB, its README says the opposite.)"""
    speaker_turns: Literal["colour", "pyannote"] = "colour"
    speaker_turns_model: str | None = None
    """Local folder, of pyannote."""
    speakers: int = 2
    """How many speak in a scene; only `colour` has to be told."""
    transcripts: Literal["subtitles", "whisper", "funasr"] = "subtitles"
    transcripts_model: str | None = None
    """Local folder, of whisper or funasr."""
    scenes: SceneLimits = field(default_factory=SceneLimits)
    dialogues: DialogueLimits = field(default_factory=DialogueLimits)


@dataclass
class Result:
    """What came of all recordings."""

    recordings: int = 0
    scenes: int = 0
    dialogues: int = 0
    turns: int = 0
    entries: int = 0


def run(config: RawConfig) -> Result:
    """Every recording of the folder -> dialogue folders, and a ledger of what gave none."""
    raw, output = Path(config.raw), Path(config.output)
    if not raw.is_dir():
        raise PrepareError(f"there is no folder {raw}")
    result = Result()
    with AtomicFile(output / "ledger.jsonl") as ledger:
        for path in _recordings(raw):
            result.recordings += 1
            for entry in _Recording(config, path, raw, output, result).entries():
                ledger.add(entry.as_json())
                result.entries += 1
    log.info("%s", json.dumps(vars(result)))
    return result


def _recordings(raw: Path) -> Iterator[Path]:
    for place in Walk(raw):
        if not isinstance(place, Entry):
            folder, names = place
            yield from (folder / n for n in names if Path(n).suffix.lower() in SOUND | VIDEO)


class _Recording:
    def __init__(
        self, config: RawConfig, path: Path, raw: Path, output: Path, result: Result
    ) -> None:
        self.config, self.path, self.output, self.result = config, path, output, result
        self.name = path.relative_to(raw).with_suffix("").as_posix()
        self.relative = path.relative_to(raw).as_posix()

    def entries(self) -> Iterator[Entry]:
        """Write the dialogues; what is left out, on the way."""
        config = self.config
        try:
            samples = extract(self.path)
        except (AudioError, OSError) as error:
            yield self._entry("unreadable_audio", str(error).replace(str(self.path), self.relative))
            return
        speech = voice_activity(config.voice_activity, config.voice_activity_model)(samples)
        kept = scenes(speech, config.scenes)
        if not kept:
            spoken = round(sum(region.seconds for region in speech), 2)
            yield self._entry("no_scene", f"{spoken} s of speech, no stretch with enough of it")
        for number, scene in enumerate(kept):
            yield from self._scene(number, scene, samples)

    def _scene(self, number: int, scene: list[Region], samples: np.ndarray) -> Iterator[Entry]:
        config, name = self.config, f"{self.name}_{number}"
        self.result.scenes += 1
        whole = Region(scene[0].start, scene[-1].stop)
        separate = separation(config.separation, config.separation_model)
        voices, background = separate(whole.cut(samples))
        ratio, limit = voice_ratio_db(voices, background), config.min_voice_ratio_db
        if limit is not None and ratio <= limit:
            yield self._entry("noisy_scene", f"{name}: voices {ratio:.2f} dB above the rest")
            return
        clean = samples.copy()
        start = round(whole.start * RATE)
        clean[start : start + len(voices)] = voices
        find = speaker_turns(config.speaker_turns, config.speaker_turns_model, config.speakers)
        found = dialogues(find(clean, scene), config.dialogues)
        if not found:
            yield self._entry("no_dialogue", f"{name}: no two speakers with enough turns each")
        for place, dialogue in enumerate(found):
            yield from self._write(f"{name}_{place}", dialogue, clean)

    def _write(
        self, name: str, dialogue: Sequence[SpokenTurn], samples: np.ndarray
    ) -> Iterator[Entry]:
        """<output>/<name>/<turn>_<speaker>_d<name>.wav, .lab and metadata.json."""
        config = self.config
        write = transcriber(config.transcripts, config.transcripts_model, self.path)
        folder, last = self.output / name, Path(name).name
        told: dict[str, dict[str, Any]] = {}
        for index, (turn, speaker) in enumerate(zip(dialogue, first_speaker_is_zero(dialogue))):
            stem = folder / f"{index}_{speaker}_d{last}"
            text = write(samples, turn.region)
            save_audio(f"{stem}.wav", turn.region.cut(samples), sample_rate=RATE)
            if text:
                write_text(Path(f"{stem}.lab"), text + "\n")
            else:
                path = f"{name}/{stem.name}.wav"
                yield self._entry("no_transcript", f"{path}: nothing was understood; write it down")
            times = {"start": round(turn.region.start, 3), "stop": round(turn.region.stop, 3)}
            duration = round(turn.region.seconds, 3)
            told[str(index)] = {"index": index, "duration": duration, "speaker": speaker} | times
            told[str(index)] |= {"text": text, "sample_rate": RATE}
            self.result.turns += 1
        write_json(folder / "metadata.json", {"dialog": last, "utterents": told})
        self.result.dialogues += 1

    def _entry(self, code: str, message: str) -> Entry:
        return Entry(self.relative, self.relative, STAGE, code, message)
