"""Folders, engines and thresholds of the way from recordings to dialogues."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from prepare_datasets.raw_recordings.dialogues import DialogueLimits
from prepare_datasets.raw_recordings.scenes import SceneLimits


@dataclass(frozen=True)
class RawConfig:
    """Folders, engines and thresholds of the chain."""

    raw: str
    """Folder of recordings or films, searched to the bottom."""
    output: str
    """Folder for the dialogues, in NCSSD's layout; must not lie in `raw`."""
    voice_activity: Literal["energy", "webrtc", "silero"] = "energy"
    """What finds speech; webrtc and silero need their package."""
    voice_activity_model: str | None = None
    """Local file, of silero."""
    separation: Literal["none", "demucs"] = "none"
    """What takes voices apart from the rest."""
    separation_model: str | None = None
    """Local folder, of demucs."""
    min_voice_ratio_db: float | None = 4.0
    """Scenes whose voices are less than this above the background are left out. (NCSSD's code
    deletes those at or below 4 dB, its README says the opposite.)"""
    enhancement: Literal["none", "sepformer"] = "none"
    """What makes the voices of a scene cleaner, after separation."""
    enhancement_model: str | None = None
    """Local folder, of sepformer."""
    speaker_turns: Literal["colour", "pyannote"] = "colour"
    """Who speaks when: by the colour of the voice, or pyannote."""
    speaker_turns_model: str | None = None
    """Local folder, of pyannote."""
    speakers: int = 2
    """How many speak in a scene; only `colour` has to be told."""
    transcripts: Literal["subtitles", "whisper", "funasr"] = "subtitles"
    """Where texts come from: subtitles beside the recordings, or a recogniser."""
    transcripts_model: str | None = None
    """Local folder, of whisper or funasr."""
    scenes: SceneLimits = field(default_factory=SceneLimits)
    dialogues: DialogueLimits = field(default_factory=DialogueLimits)

    def __post_init__(self) -> None:
        if Path(self.output).resolve().is_relative_to(Path(self.raw).resolve()):
            raise ValueError(
                f"output {self.output} lies in raw {self.raw}; dialogues would be taken for films"
            )
