"""How much a sound is like a voice, without any trained network.

    sound -> loud frames -> means of 20 cepstra, mean log2 F0 (21,)
          -> centred on the voices' mean, whitened by the spread within voices
          -> cosine with the voice's centroid

It knows what it was fitted on and no more: how often it names the right voice of held-out
recordings stands beside every figure that rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.audio.pitch import track_pitch
from GPT_SoVITS.audio.spectrogram import mel_spectrogram

N_CEPSTRA = 20
LOUD = 4.0
"""Frames whose mean log mel lies within so many nepers of the loudest count."""


def statistics(samples: np.ndarray) -> np.ndarray:
    """32 kHz samples (T,) -> (21,): cepstra 1-20 of the loud frames' mean, log2 of the mean F0."""
    mel = mel_spectrogram(torch.from_numpy(samples)[None])[0].double().numpy()  # (128, F)
    level = mel.mean(axis=0)
    loud = mel[:, level > level.max() - LOUD]
    k, n = np.arange(1, N_CEPSTRA + 1)[:, None], len(mel)
    cosines = np.cos(np.pi * k * (np.arange(n) + 0.5) / n) * np.sqrt(2 / n)
    f0, _ = track_pitch(samples, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    voiced = f0[f0 > 0]
    pitch = np.log2(voiced).mean() if len(voiced) else np.log2(150.0)
    return np.append(cosines @ loud.mean(axis=1), pitch)


@dataclass(frozen=True)
class VoiceSpace:
    """Whitened statistics in which voices are directions."""

    centre: np.ndarray
    whiten: np.ndarray
    """(21, 21)"""
    centroids: Mapping[str, np.ndarray]

    @classmethod
    def fit(cls, recordings: Mapping[str, Sequence[np.ndarray]]) -> VoiceSpace:
        """{voice: recordings (T,)}; two voices and two recordings of each at the least."""
        if len(recordings) < 2 or min(map(len, recordings.values())) < 2:
            raise ValueError("a voice space needs two voices with two recordings each")
        vectors = {v: np.stack([statistics(x) for x in xs]) for v, xs in recordings.items()}
        means = {v: x.mean(axis=0) for v, x in vectors.items()}
        inner = np.concatenate([x - means[v] for v, x in vectors.items()])
        covariance = inner.T @ inner / max(1, len(inner) - len(means))
        covariance += 0.05 * np.diag(np.diag(covariance)) + 1e-6 * np.eye(len(covariance))
        values, axes = np.linalg.eigh(covariance)
        whiten = axes @ np.diag(values**-0.5) @ axes.T
        centre = np.mean(list(means.values()), axis=0)
        return cls(centre, whiten, {v: whiten @ (m - centre) for v, m in means.items()})

    def similarity(self, samples: np.ndarray, voice: str) -> float:
        """Cosine in [-1, 1] of a sound with a voice."""
        x, own = self.whiten @ (statistics(samples) - self.centre), self.centroids[voice]
        return float(x @ own / (np.linalg.norm(x) * np.linalg.norm(own)))

    def named(self, samples: np.ndarray) -> str:
        """The voice a sound is most like."""
        return max(self.centroids, key=lambda voice: self.similarity(samples, voice))


def interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Mean and its 95 % bootstrap interval (2000 resamples)."""
    x = np.asarray(values, np.float64)
    picks = np.random.default_rng(seed).integers(len(x), size=(2000, len(x)))
    low, high = np.percentile(x[picks].mean(axis=1), [2.5, 97.5])
    return float(x.mean()), float(low), float(high)
