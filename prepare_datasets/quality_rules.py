"""What a clip is like, and what becomes of it by the rules of a published filter.

    clipped → silence in it → silence at its ends → length → a shorter or longer clip than the best,
    louder and higher than most, spoken too fast or too slowly → reference → keep

The first rule that holds decides. `reference`: too unlike the rest to learn from, still a voice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from GPT_SoVITS.audio.pitch import track_pitch

FRAME, HOP = 2048, 512
F0_RANGE = (50.0, 600.0)
ACTIONS = ("keep", "reference", "discard")


@dataclass(frozen=True)
class QualityRules:
    """The published thresholds."""

    clipped_peak: float = 0.99
    """A clip whose peak reaches this is clipped …"""
    clipped_level: float = 0.985
    """… where samples at this level …"""
    max_clipped_share: float = 0.001
    """… are more than this share."""
    silence_rms: float = 0.01
    """A frame of less than this is silent."""
    max_silence_share: float = 0.30
    max_edge_silence: float = 0.30
    """Seconds of silence before or after the speech."""
    min_seconds: float = 1.2
    max_seconds: float = 12.0
    best_min_seconds: float = 2.2
    best_max_seconds: float = 8.0
    excited_percentile: float = 87.0
    """Loudness and pitch both at or above this percentile of the clips of the best length."""
    min_rate: float = 2.2
    """Syllables (hanzi) per second."""
    max_rate: float = 6.5

    def __post_init__(self) -> None:
        lengths = (self.min_seconds, self.best_min_seconds, self.best_max_seconds, self.max_seconds)
        if list(lengths) != sorted(lengths) or lengths[0] <= 0:
            raise ValueError("rules: 0 < min_seconds <= best_min <= best_max <= max_seconds needed")
        if not 0 <= self.excited_percentile <= 100 or not self.min_rate < self.max_rate:
            raise ValueError("rules: a percentile is 0 to 100, min_rate below max_rate")


@dataclass(frozen=True)
class Measures:
    """One clip in numbers."""

    seconds: float
    rms: float
    """Mean over frames."""
    f0: float
    """Median over voiced frames, Hz; 0 where nothing is voiced."""
    rate: float
    """Syllables per second."""
    silence_share: float
    head_silence: float
    """Seconds."""
    tail_silence: float
    peak: float
    clipped_share: float


def measure(
    samples: np.ndarray, *, sample_rate: int, syllables: int, rules: QualityRules
) -> Measures:
    """samples (T,) of one clip."""
    seconds = len(samples) / sample_rate
    count = 1 + max(0, len(samples) - FRAME) // HOP
    padded = np.pad(samples.astype(np.float64), (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP][:count]
    rms = np.sqrt(np.square(frames).mean(axis=1))
    loud = np.flatnonzero(rms >= rules.silence_rms)
    head = loud[0] * HOP / sample_rate if len(loud) else seconds
    tail = (count - 1 - loud[-1]) * HOP / sample_rate if len(loud) else seconds
    low, high = F0_RANGE
    f0, _ = track_pitch(samples, sample_rate=sample_rate, hop_length=HOP, f0_min=low, f0_max=high)
    voiced = f0[f0 > 0]
    return Measures(
        seconds=round(seconds, 4),
        rms=round(float(rms.mean()), 6),
        f0=round(float(np.median(voiced)), 2) if len(voiced) else 0.0,
        rate=round(syllables / seconds, 3),
        silence_share=round(1 - len(loud) / count, 4),
        head_silence=round(float(head), 4),
        tail_silence=round(float(tail), 4),
        peak=round(float(np.abs(samples).max()), 4),
        clipped_share=round(float((np.abs(samples) >= rules.clipped_level).mean()), 6),
    )


@dataclass(frozen=True)
class Excited:
    """Above both, a clip is shouted; infinite where no clip has the best length."""

    rms: float = float("inf")
    f0: float = float("inf")


def excited_limits(clips: Iterable[Measures], rules: QualityRules) -> Excited:
    """The percentiles over clips of the best length."""
    best = [
        (clip.rms, clip.f0)
        for clip in clips
        if rules.best_min_seconds <= clip.seconds <= rules.best_max_seconds
    ]
    if not best:
        return Excited()
    rms, f0 = np.percentile(np.asarray(best), rules.excited_percentile, axis=0)
    return Excited(float(rms), float(f0))


def verdict(clip: Measures, excited: Excited, rules: QualityRules) -> tuple[str, str]:
    """(action, reason); the reason of a clip that is kept is empty."""
    if clip.peak >= rules.clipped_peak and clip.clipped_share > rules.max_clipped_share:
        return "discard", "clipped"
    if clip.silence_share > rules.max_silence_share:
        return "discard", "silence"
    if max(clip.head_silence, clip.tail_silence) > rules.max_edge_silence:
        return "discard", "edge_silence"
    if not rules.min_seconds <= clip.seconds <= rules.max_seconds:
        return "discard", "length"
    if not rules.best_min_seconds <= clip.seconds <= rules.best_max_seconds:
        return "reference", "length"
    if clip.rms >= excited.rms and clip.f0 >= excited.f0:
        return "reference", "excited"
    if not rules.min_rate <= clip.rate <= rules.max_rate:
        return "reference", "rate"
    return "keep", ""


def as_row(clip: Measures) -> dict[str, float]:
    """Columns of the report."""
    return asdict(clip)
