"""Speaking style as numbers and as classes: pitch level, pitch range, rate, loudness.

A class (low, middle, high) is a third of a reference corpus, so agreement by chance is about 1/3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.evaluation.metrics.loudness import frame_levels, pauses, speech_level
from GPT_SoVITS.evaluation.metrics.pitch import f0_track, mean_log_f0, semitones

DIMENSIONS = ("pitch_level", "pitch_range", "rate", "loudness")
CLASSES = ("low", "middle", "high")


def describe(samples: np.ndarray, *, sample_rate: int, n_phonemes: int) -> dict[str, float]:
    """(T,) and the phonemes said -> pitch level (12 log2 Hz), range (10-90 % span, semitones),
    rate (phonemes per second of speech), loudness (dB of full scale)."""
    f0 = f0_track(samples, sample_rate=sample_rate)
    voiced = semitones(f0[f0 > 0])
    span = np.subtract(*np.percentile(voiced, (90, 10))) if len(voiced) else np.nan
    levels = frame_levels(samples, sample_rate=sample_rate)
    seconds, gaps = pauses(levels)
    return {
        "pitch_level": mean_log_f0(f0),
        "pitch_range": float(span),
        "rate": n_phonemes / max(seconds - sum(gaps), 0.05),
        "loudness": speech_level(levels),
    }


@dataclass(frozen=True)
class StyleClasses:
    """Borders between the classes of each dimension, fitted on a reference corpus."""

    borders: Mapping[str, tuple[float, float]]

    @classmethod
    def fit(cls, styles: Sequence[Mapping[str, float]]) -> StyleClasses:
        """Thirds of the given utterances; NaN values are left out. Raises `ValueError`."""
        if len(styles) < 3:
            raise ValueError(f"style classes need 3 utterances or more, got {len(styles)}")
        found = {}
        for name in DIMENSIONS:
            values = np.asarray([style[name] for style in styles], dtype=np.float64)
            low, high = np.nanpercentile(values, (100 / 3, 200 / 3))
            found[name] = (float(low), float(high))
        return cls(found)

    def classify(self, style: Mapping[str, float]) -> dict[str, str]:
        """Class of each dimension; "unknown" where nothing is voiced."""
        found = {}
        for name, (low, high) in self.borders.items():
            value = style[name]
            at = 0 if value <= low else 1 if value <= high else 2
            found[name] = "unknown" if np.isnan(value) else CLASSES[at]
        return found

    def agreement(
        self, reference: Mapping[str, float], style: Mapping[str, float]
    ) -> dict[str, float]:
        """1 or 0 per dimension, and their mean as `all`."""
        wanted, found = self.classify(reference), self.classify(style)
        same = {name: float(wanted[name] == found[name]) for name in wanted}
        return same | {"all": sum(same.values()) / len(same)}
