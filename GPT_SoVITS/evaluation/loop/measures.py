"""What is measured on a sound beside the recording of the same words, one entry per function.

An entry is all there is to a metric: its numbers go into ledger, report.json and items.csv under
their names, and into the report's table, with an interval over dialogues, under their titles. How
one is added, step by step: docs/extending.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.evaluation.metrics.loudness import high_band_db, timing_errors
from GPT_SoVITS.evaluation.metrics.pitch import f0_track, pitch_distance, pitch_errors
from GPT_SoVITS.evaluation.metrics.speaker import Embedding, similarity
from GPT_SoVITS.evaluation.metrics.spectrum import mel_cepstral_distortion


@dataclass(frozen=True)
class Pair:
    """A sound to be judged and the recording of the same words, mono float32."""

    recording: np.ndarray
    """(T,)"""
    sound: np.ndarray
    """(T',)"""
    sample_rate: int
    """Hz, of both."""
    embedding: Embedding
    """The speaker embedding of this evaluation."""


@dataclass(frozen=True)
class Measure:
    """A function of a pair, and how its numbers are shown."""

    of: Callable[[Pair], Mapping[str, float]]
    """One number per name; NaN where it is not defined for this pair."""
    titles: Mapping[str, str]
    """Name -> title in the table, with the unit; a number without a title is only in the files."""


def _spectrum(pair: Pair) -> Mapping[str, float]:
    rate = pair.sample_rate
    return {"mcd_db": mel_cepstral_distortion(pair.recording, pair.sound, sample_rate=rate)}


def _pitch(pair: Pair) -> Mapping[str, float]:
    return pitch_errors(pair.recording, pair.sound, sample_rate=pair.sample_rate).as_dict()


def _pitch_distance(pair: Pair) -> Mapping[str, float]:
    truth, said = (f0_track(s, sample_rate=pair.sample_rate) for s in (pair.recording, pair.sound))
    found = pitch_distance(truth, said)
    return {"dtwd_semitones": found.semitones, "dtwd_normalised": found.normalised}


def _timing(pair: Pair) -> Mapping[str, float]:
    return timing_errors(pair.recording, pair.sound, sample_rate=pair.sample_rate).as_dict()


def _grain(pair: Pair) -> Mapping[str, float]:
    truth, said = (
        high_band_db(s, sample_rate=pair.sample_rate) for s in (pair.recording, pair.sound)
    )
    return {"high_band_excess": said - truth}


def _speaker(pair: Pair) -> Mapping[str, float]:
    found = similarity(
        pair.sound, pair.recording, sample_rate=pair.sample_rate, embedding=pair.embedding
    )
    return {"speaker_similarity": found}


MEASURES: tuple[Measure, ...] = (
    Measure(_spectrum, {"mcd_db": "MCD (dB)"}),
    Measure(
        _pitch,
        {
            "log_f0_rmse": "log-F0 RMSE (semitones)",
            "log_f0_correlation": "log-F0 correlation",
            "voicing_error": "voicing error",
            "frame_error": "F0 frame error",
        },
    ),
    Measure(
        _pitch_distance,
        {
            "dtwd_semitones": "pitch DTW distance (semitones)",
            "dtwd_normalised": "pitch DTW distance (z)",
        },
    ),
    Measure(
        _timing,
        {
            "energy_correlation": "energy correlation",
            "energy_difference": "energy difference (dB)",
            "duration_ratio": "duration ratio",
            "duration_error": "duration error (s)",
            "pause_error": "pause error (s)",
        },
    ),
    Measure(_grain, {"high_band_excess": "above 8 kHz, excess (dB)"}),
    Measure(_speaker, {"speaker_similarity": "speaker similarity (cosine)"}),
)


def titles() -> dict[str, str]:
    """Name -> title of everything the table shows, in order."""
    return {name: title for measure in MEASURES for name, title in measure.titles.items()}
