"""What is said: from subtitles beside the recording (no model), or by a recogniser."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from prepare_datasets.raw_recordings.stages import RATE, Region, Transcriber
from prepare_datasets.readers.transcript import decode_transcript

TIME = r"(\d+):(\d\d):(\d\d)[,.](\d{1,3})"
CUE = re.compile(rf"{TIME}\s*-->\s*{TIME}[^\n]*\n(.*?)(?=\n\s*\n|\Z)", re.DOTALL)

SUBTITLES = (".srt", ".vtt")


class Subtitles:
    """Cues of an .srt or .vtt; a turn gets the cues whose middle lies in it."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes().replace(b"\r\n", b"\n")
        _, encoding = decode_transcript(data, "auto")
        self.cues: list[tuple[float, str]] = []
        for match in CUE.finditer(data.decode("utf-8-sig" if encoding == "utf-8" else encoding)):
            start, stop = (_seconds(match.groups()[i : i + 4]) for i in (0, 4))
            self.cues.append(((start + stop) / 2, " ".join(match[9].split())))

    def __call__(self, samples: np.ndarray, region: Region) -> str:
        """Text of one region."""
        inside = (text for at, text in self.cues if region.start <= at < region.stop)
        return " ".join(inside)


def _seconds(parts: tuple[str, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


class Whisper:
    """faster-whisper from a local model folder."""

    def __init__(self, model: str, language: str | None = None) -> None:
        from faster_whisper import WhisperModel

        self._model: Any = WhisperModel(model, local_files_only=True)
        self._language = language

    def __call__(self, samples: np.ndarray, region: Region) -> str:
        """Text of one region."""
        pieces, _ = self._model.transcribe(region.cut(samples), language=self._language)
        return " ".join(piece.text.strip() for piece in pieces)


class FunAsr:
    """FunASR from a local model folder."""

    def __init__(self, model: str) -> None:
        from funasr import AutoModel

        self._model: Any = AutoModel(model=model, disable_update=True)

    def __call__(self, samples: np.ndarray, region: Region) -> str:
        """Text of one region."""
        result = self._model.generate(input=region.cut(samples), fs=RATE)
        return str(result[0]["text"]) if result else ""


def nothing(samples: np.ndarray, region: Region) -> str:
    """(T,) at any rate -> no transcript: the turns are listed for somebody to write down."""
    return ""


# one model for all recordings
_whisper, _funasr = lru_cache(maxsize=1)(Whisper), lru_cache(maxsize=1)(FunAsr)


def transcriber(
    engine: str, model: str | None, recording: Path, *, language: str | None = None
) -> Transcriber:
    """The engine asked for; subtitles lie beside the recording under its name.

    Raises `ValueError`.
    """
    if engine in ("whisper", "funasr"):
        if model is None:
            raise ValueError(f"transcripts {engine} needs transcripts_model, a local folder")
        return _whisper(model, language) if engine == "whisper" else _funasr(model)
    for suffix in SUBTITLES:
        if recording.with_suffix(suffix).is_file():
            return Subtitles(recording.with_suffix(suffix))
    return nothing
