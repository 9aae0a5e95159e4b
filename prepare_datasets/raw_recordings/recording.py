"""The stages one after the other, for one recording."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.io import AudioError, save_audio
from prepare_datasets.jsonl import write_json, write_text
from prepare_datasets.ledger import Entry
from prepare_datasets.raw_recordings.config import RawConfig
from prepare_datasets.raw_recordings.dialogues import dialogues, first_speaker_is_zero
from prepare_datasets.raw_recordings.enhancement import enhancement
from prepare_datasets.raw_recordings.extract import extract
from prepare_datasets.raw_recordings.scenes import scenes
from prepare_datasets.raw_recordings.separation import separation, voice_ratio_db
from prepare_datasets.raw_recordings.stages import RATE, Region, SpokenTurn, Transcriber
from prepare_datasets.raw_recordings.transcripts import nothing, transcriber
from prepare_datasets.raw_recordings.turns import speaker_turns
from prepare_datasets.raw_recordings.voice_activity import voice_activity
from prepare_datasets.readers.files import printable
from prepare_datasets.readers.transcript import TranscriptError

STAGE = "raw_recordings"


@dataclass
class Made:
    """What came of one recording."""

    scenes: int = 0
    folders: list[str] = field(default_factory=list)
    """Of its dialogues, below the output folder."""
    turns: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)
    """What was left out, as ledger lines."""


class Recording:
    """One recording through all stages."""

    def __init__(self, config: RawConfig, path: Path, name: str) -> None:
        self.config, self.path, self.name = config, path, name
        self.output = Path(config.output)
        self.relative = printable(path.relative_to(config.raw).as_posix())
        self._made = Made()
        self._text: Transcriber = nothing

    def made(self) -> Made:
        """Write the dialogues."""
        self._made = Made()
        self._made.entries += [entry.as_json() for entry in self._entries()]
        return self._made

    def _entries(self) -> Iterator[Entry]:
        """What is left out, while the dialogues are written."""
        config = self.config
        try:
            self._text = transcriber(config.transcripts, config.transcripts_model, self.path)
        except TranscriptError as error:
            yield self._entry("wrong_encoding", f"its subtitles: {error}")
            return
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
        self._made.scenes += 1
        whole = Region(scene[0].start, scene[-1].stop)
        separate = separation(config.separation, config.separation_model)
        voices, background = separate(whole.cut(samples))
        ratio, limit = voice_ratio_db(voices, background), config.min_voice_ratio_db
        if limit is not None and ratio <= limit:
            yield self._entry("noisy_scene", f"{name}: voices {ratio:.2f} dB above the rest")
            return
        enhance = enhancement(config.enhancement, config.enhancement_model)
        voices = enhance(voices)
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
        folder, last = self.output / name, Path(name).name
        shutil.rmtree(folder, ignore_errors=True)  # of a killed run, or of other thresholds
        told: dict[str, dict[str, Any]] = {}
        for index, (turn, speaker) in enumerate(zip(dialogue, first_speaker_is_zero(dialogue))):
            stem = folder / f"{index}_{speaker}_d{last}"
            text = self._text(samples, turn.region)
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
            self._made.turns += 1
        write_json(folder / "metadata.json", {"dialog": last, "utterents": told})
        self._made.folders.append(name)

    def _entry(self, code: str, message: str) -> Entry:
        return Entry(self.relative, self.relative, STAGE, code, message)
