"""Who speaks when: by the colour of the voice (no model), or by pyannote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from prepare_datasets.raw_recordings.grouping import grouped
from prepare_datasets.raw_recordings.stages import RATE, Region, SpeakerTurns, SpokenTurn

N_BANDS, N_CEPSTRA = 26, 13
FRAME, HOP = 400, 160


@dataclass(frozen=True)
class VoiceColour:
    """Regions grouped by their mean cepstrum, each coefficient scaled by how much it varies within
    regions, where the words and not the voice change it. Speakers are as many as told.

    It neither finds out how many speak nor notices a change within a region; pyannote does both.
    """

    speakers: int = 2
    max_pause: float = 1.0
    """Seconds; the same speaker goes on after a shorter one."""

    def __call__(self, samples: np.ndarray, speech: Sequence[Region]) -> list[SpokenTurn]:
        """Turns in order."""
        if not speech:
            return []
        heard = [cepstra(region.cut(samples)) for region in speech]
        means = np.stack([frames.mean(axis=0) for frames in heard])
        words = np.mean([frames.var(axis=0) for frames in heard], axis=0)
        labels = grouped(means / np.sqrt(words + 1e-8), self.speakers)
        turns = [SpokenTurn(r, f"S{label}") for r, label in zip(speech, labels)]
        return merged(turns, self.max_pause)


def cepstra(samples: np.ndarray) -> np.ndarray:
    """(T,), 16 kHz -> (F, 12) cepstra of the louder frames: the shape of the spectrum alone."""
    from scipy.fft import dct

    padded = np.pad(samples, (0, max(0, FRAME - len(samples))))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(pieces * np.hanning(FRAME), n=512, axis=1)) ** 2
    loud = power.sum(axis=1)
    power = power[loud >= np.percentile(loud, 40)]
    bands = np.log(power @ _mel_bands().T + 1e-8)
    values: np.ndarray = dct(bands, type=2, norm="ortho", axis=1)[:, 1:N_CEPSTRA]
    return values


def _mel_bands() -> np.ndarray:
    """(26, 257) triangles from 80 to 7600 Hz."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (80, 7600))
    corners = 700 * (10 ** (np.linspace(low, high, N_BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(512, 1 / RATE)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rise, fall = (hertz - left) / (middle - left), (right - hertz) / (right - middle)
    return np.maximum(0, np.minimum(rise, fall))


def merged(turns: Sequence[SpokenTurn], max_pause: float) -> list[SpokenTurn]:
    """Neighbouring turns of one speaker as one, where the pause between them is short."""
    result: list[SpokenTurn] = []
    for turn in turns:
        last = result[-1] if result else None
        same = last is not None and last.speaker == turn.speaker
        if last is not None and same and turn.region.start - last.region.stop <= max_pause:
            result[-1] = SpokenTurn(Region(last.region.start, turn.region.stop), turn.speaker)
        else:
            result.append(turn)
    return result


class PyannoteTurns:
    """A pyannote diarisation pipeline from a local folder or config."""

    def __init__(self, model: str, *, max_pause: float = 1.0) -> None:
        from pyannote.audio import Pipeline

        self._pipeline: Any = Pipeline.from_pretrained(model)
        self._max_pause = max_pause

    def __call__(self, samples: np.ndarray, speech: Sequence[Region]) -> list[SpokenTurn]:
        """Turns in order; pyannote looks for speech itself."""
        import torch

        sound = {"waveform": torch.from_numpy(samples)[None], "sample_rate": RATE}
        found = self._pipeline(sound).itertracks(yield_label=True)
        turns = [SpokenTurn(Region(s.start, s.end), str(label)) for s, _, label in found]
        return merged(sorted(turns, key=lambda turn: turn.region.start), self._max_pause)


_pyannote = lru_cache(maxsize=1)(PyannoteTurns)  # one model for all recordings


def speaker_turns(engine: str, model: str | None, speakers: int) -> SpeakerTurns:
    """The engine asked for. Raises `ValueError`."""
    if engine == "pyannote":
        if model is None:
            raise ValueError("speaker_turns pyannote needs speaker_turns_model, a local path")
        return _pyannote(model)
    return VoiceColour(speakers)
