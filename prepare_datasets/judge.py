"""Is a recording fit to learn from? Checked before anything is computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import AudioError
from GPT_SoVITS.audio.quality import (
    Recording,
    Truncated,
    channel_correlation,
    clipped_share,
    read_recording,
    rms_db,
    shorten_silences,
)
from prepare_datasets.ledger import Entry
from prepare_datasets.limits import AudioLimits

CONTAINERS = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG"}


Stretch = tuple[Path, float, float | None]
"""File, from second, to second (None: its end)."""


class Refused(Exception):
    """The recording is left out; `entry` says why."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.message)
        self.entry = entry


@dataclass
class Judge:
    """One recording against the limits; `where` has the entry's id, path and stage."""

    limits: AudioLimits
    where: dict[str, Any]
    notices: list[Entry] = field(default_factory=list)

    def hear(self, parts: Sequence[Stretch], n_phonemes: int) -> np.ndarray:
        """(T,) mono at 32 kHz, peak at most 1; raises `Refused`. Nearly always of one part."""
        heard = [self._part(*part) for part in parts]
        samples = np.concatenate(heard) if len(heard) > 1 else heard[0]
        if len(heard) > 1:
            self._length(len(samples) / SAMPLE_RATE)
        if self.limits.shorten_silences:
            samples = self._shortened(samples)
        self._rate(n_phonemes, len(samples) / SAMPLE_RATE)
        peak = max(1.0, float(np.abs(samples).max()))
        return np.ascontiguousarray(samples / peak if peak > 1 else samples, dtype=np.float32)

    def _part(self, path: Path, start: float, stop: float | None) -> np.ndarray:
        """(T,) mono at 32 kHz."""
        recording = self._read(path, start, stop)
        if not np.isfinite(recording.samples).all():
            raise self._refused("non_finite", "recording holds NaN or infinite samples", None, None)
        samples = self._mono(recording)
        self._bandwidth(recording.sample_rate)
        self._level(samples)
        if recording.sample_rate != SAMPLE_RATE:
            samples = soxr.resample(samples, recording.sample_rate, SAMPLE_RATE, quality="HQ")
        return samples

    def _read(self, path: Path, start: float, stop: float | None) -> Recording:
        """What lies between `start` and `stop`; the limits hold for that alone."""
        most = stop if stop is not None else start + self.limits.max_seconds
        try:
            recording = read_recording(path, max_seconds=most)
        except Truncated as error:
            raise self._refused("truncated", str(error), None, None) from None
        except AudioError as error:
            raise self._refused("unreadable_audio", str(error), None, None) from None
        except OSError as error:
            message = error.strerror or "cannot be opened"
            raise self._refused("unreadable_audio", message, None, None) from None
        expected = CONTAINERS.get(path.suffix.lower(), recording.container)
        if recording.container != expected:
            message = "the name says another format than the content"
            self._notice("wrong_container", message, recording.container, expected)
        if start or stop is not None:
            rate = recording.sample_rate
            end = None if stop is None else round(stop * rate)
            recording = replace(recording, samples=recording.samples[round(start * rate) : end])
        self._length(len(recording.samples) / recording.sample_rate)
        return recording

    def _length(self, seconds: float) -> None:
        limits = self.limits
        if seconds < limits.min_seconds:
            raise self._refused("too_short", "too short (s)", seconds, limits.min_seconds)
        if seconds > limits.max_seconds:
            message = "too long (s, counted up to the limit)"
            raise self._refused("too_long", message, seconds, limits.max_seconds)

    def _mono(self, recording: Recording) -> np.ndarray:
        samples, limit = recording.samples, self.limits.min_channel_correlation
        correlation = channel_correlation(samples)
        if correlation >= limit:
            values: np.ndarray = samples.mean(axis=1)
            return values
        message = "the channels cancel each other (correlation)"
        if self.limits.antiphase == "quarantine":
            raise self._refused("antiphase", message, correlation, limit)
        self._notice("antiphase", message + "; the first is taken", correlation, limit)
        return samples[:, 0]

    def _bandwidth(self, rate: int) -> None:
        if rate < self.limits.min_sample_rate:
            message = "sample rate too low (Hz)"
            raise self._refused("low_bandwidth", message, rate, self.limits.min_sample_rate)
        if rate < self.limits.full_sample_rate:
            message = "nothing above half of this sample rate (Hz)"
            self._notice("low_bandwidth", message, rate, self.limits.full_sample_rate)

    def _level(self, samples: np.ndarray) -> None:
        limits, peak = self.limits, float(np.abs(samples).max())
        if peak < limits.min_peak:
            raise self._refused("silent", "recording is silent (peak)", peak, limits.min_peak)
        loudness = rms_db(samples)
        if loudness < limits.min_rms_db:
            raise self._refused("silent", "recording is silent (dB)", loudness, limits.min_rms_db)
        share = clipped_share(samples)
        if share > limits.max_clipped_share:
            message = "tops are cut off (share of samples)"
            raise self._refused("clipped", message, share, limits.max_clipped_share)
        if peak > 1.0:
            self._notice("clipped", "peak above full scale, scaled down", round(peak, 4), 1.0)

    def _shortened(self, samples: np.ndarray) -> np.ndarray:
        limits = self.limits
        return shorten_silences(
            samples,
            sample_rate=SAMPLE_RATE,
            keep_seconds=limits.silence_seconds,
            top_db=limits.silence_top_db,
        )

    def _rate(self, n_phonemes: int, seconds: float) -> None:
        rate, limits = n_phonemes / seconds, self.limits
        message = "the transcript does not fit the recording (phonemes per second)"
        if rate < limits.min_phonemes_per_second:
            raise self._refused("phoneme_rate", message, rate, limits.min_phonemes_per_second)
        if rate > limits.max_phonemes_per_second:
            raise self._refused("phoneme_rate", message, rate, limits.max_phonemes_per_second)

    def _refused(self, code: str, message: str, value: Any, limit: Any) -> Refused:
        shown = round(value, 4) if isinstance(value, float) and np.isfinite(value) else value
        if isinstance(shown, float) and not np.isfinite(shown):
            shown = str(shown)
        return Refused(Entry(**self.where, code=code, message=message, value=shown, limit=limit))

    def _notice(self, code: str, message: str, value: Any, limit: Any) -> None:
        entry = Entry(
            **self.where, code=code, message=message, value=value, limit=limit, action="notice"
        )
        self.notices.append(entry)
