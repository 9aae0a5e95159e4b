"""Is a recording fit to learn from? Checked before anything is computed from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from prepare_datasets.config import AudioLimits
from prepare_datasets.ledger import Entry


def judge(
    samples: np.ndarray, n_phonemes: int, limits: AudioLimits, *, where: dict[str, Any]
) -> Entry | None:
    """samples (T,) at 32 kHz -> the reason to leave the turn out, or None.

    `where` has the entry's id, path and stage.
    """

    def refuse(code: str, message: str, value: float, limit: float) -> Entry:
        return Entry(**where, code=code, message=message, value=round(value, 4), limit=limit)

    seconds = len(samples) / SAMPLE_RATE
    if seconds < limits.min_seconds:
        return refuse("too_short", "recording is too short (s)", seconds, limits.min_seconds)
    if seconds > limits.max_seconds:
        return refuse("too_long", "recording is too long (s)", seconds, limits.max_seconds)
    peak = float(np.abs(samples).max())
    if peak < limits.min_peak:
        return refuse("silent", "recording is silent (peak)", peak, limits.min_peak)
    loudness = float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))
    if loudness < limits.min_rms_db:
        return refuse("silent", "recording is silent (dB)", loudness, limits.min_rms_db)
    rate = n_phonemes / seconds
    fits = "the transcript does not fit the recording (phonemes per second)"
    if rate < limits.min_phonemes_per_second:
        return refuse("phoneme_rate", fits, rate, limits.min_phonemes_per_second)
    if rate > limits.max_phonemes_per_second:
        return refuse("phoneme_rate", fits, rate, limits.max_phonemes_per_second)
    return None


def limit_peak(samples: np.ndarray, *, where: dict[str, Any]) -> tuple[np.ndarray, Entry | None]:
    """(T,) with its peak brought to 1 if it is above, and the notice that says so."""
    peak = float(np.abs(samples).max())
    if peak <= 1.0:
        return samples, None
    message = "peak above full scale, scaled down"
    notice = Entry(
        **where, code="over_full_scale", message=message, value=peak, limit=1.0, action="notice"
    )
    return samples / peak, notice
