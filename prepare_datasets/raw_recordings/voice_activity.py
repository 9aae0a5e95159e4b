"""Where is speech: by energy above the background (no model), or by webrtcvad or Silero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from prepare_datasets.raw_recordings.stages import RATE, Region, VoiceActivity

FRAME = 160  # 10 ms


@dataclass(frozen=True)
class EnergyActivity:
    """Frames well above the quiet part of the recording, in the band of voices."""

    above_floor_db: float = 10.0
    """Above the recording's own background: what its quieter quarter sounds like."""
    below_peak_db: float = 38.0
    """Never deeper than so far below its loud frames."""
    min_silence: float = 0.25
    """Seconds; shorter pauses belong to the speech around them."""
    min_speech: float = 0.12
    """Seconds; shorter bursts are no speech."""
    margin: float = 0.05
    """Seconds kept before and after."""

    def __call__(self, samples: np.ndarray) -> list[Region]:
        """Regions of speech."""
        level = band_level_db(samples)
        if not len(level):
            return []
        floor, top = np.percentile(level, 25), np.percentile(level, 98)
        active = level > max(floor + self.above_floor_db, top - self.below_peak_db)
        regions = joined(_regions(active), self.min_silence)
        long = [region for region in regions if region.seconds >= self.min_speech]
        end = len(samples) / RATE
        wide = [Region(max(0, r.start - self.margin), min(end, r.stop + self.margin)) for r in long]
        return joined(wide, 0.0)


def band_level_db(samples: np.ndarray) -> np.ndarray:
    """(T,), 16 kHz -> (T // 160,) level of each 10 ms between 150 and 4000 Hz, over 30 ms."""
    frames = len(samples) // FRAME
    if frames == 0:
        return np.zeros(0)
    padded = np.pad(samples.astype(np.float64), (FRAME, 2 * FRAME))
    window = np.hanning(3 * FRAME)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 3 * FRAME)[::FRAME][:frames]
    spectrum = np.abs(np.fft.rfft(pieces * window, axis=1)) ** 2
    hertz = np.fft.rfftfreq(3 * FRAME, 1 / RATE)
    band = (hertz >= 150) & (hertz <= 4000)
    values: np.ndarray = 10 * np.log10(spectrum[:, band].sum(axis=1) + 1e-10)
    return values


def joined(regions: Sequence[Region], gap: float) -> list[Region]:
    """Regions less than `gap` seconds apart as one."""
    result: list[Region] = []
    for region in regions:
        if result and region.start - result[-1].stop <= gap:
            result[-1] = Region(result[-1].start, max(result[-1].stop, region.stop))
        else:
            result.append(region)
    return result


def _regions(active: np.ndarray) -> list[Region]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], active.astype(np.int8), [0]])))
    second = FRAME / RATE
    return [Region(a * second, b * second) for a, b in zip(edges[0::2], edges[1::2])]


class WebrtcActivity:
    """webrtcvad, 10 ms frames; `aggressiveness` 0 to 3."""

    def __init__(self, aggressiveness: int = 2, *, min_silence: float = 0.25) -> None:
        import webrtcvad

        self._engine: Any = webrtcvad.Vad(aggressiveness)
        self._min_silence = min_silence

    def __call__(self, samples: np.ndarray) -> list[Region]:
        """Regions of speech."""
        pcm = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
        frames = [pcm[i : i + FRAME].tobytes() for i in range(0, len(pcm) - FRAME + 1, FRAME)]
        active = np.array([self._engine.is_speech(frame, RATE) for frame in frames], bool)
        return joined(_regions(active), self._min_silence)


class SileroActivity:
    """Silero VAD from a local TorchScript file."""

    def __init__(self, model: str, *, threshold: float = 0.5, min_silence: float = 0.25) -> None:
        import torch

        self._torch, self._model = torch, torch.jit.load(model, map_location="cpu").eval()
        self._threshold, self._min_silence = threshold, min_silence

    def __call__(self, samples: np.ndarray) -> list[Region]:
        """Regions of speech; the model hears 512 samples at a time."""
        torch, step = self._torch, 512
        self._model.reset_states()
        padded = torch.from_numpy(np.pad(samples, (0, -len(samples) % step)))
        with torch.inference_mode():
            chance = [float(self._model(piece, RATE)) for piece in padded.split(step)]
        active = np.repeat(np.array(chance) > self._threshold, step)[: len(samples)]
        return joined(_regions(active[::FRAME]), self._min_silence)


_silero = lru_cache(maxsize=1)(SileroActivity)  # one model for all recordings


def voice_activity(engine: str, model: str | None) -> VoiceActivity:
    """The engine asked for. Raises `ValueError`."""
    if engine == "webrtc":
        return WebrtcActivity()
    if engine == "silero":
        if model is None:
            raise ValueError("voice_activity silero needs voice_activity_model, a local file")
        return _silero(model)
    return EnergyActivity()
