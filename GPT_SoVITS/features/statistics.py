"""Causal speaker statistics: a corpus prior, updated turn by turn, never by what comes later.

The spectral group is centred on the speaker (its mean is timbre, which the reference gives to s2);
pitch and energy are centred on the corpus, moved towards the speaker only as far as
`pseudo_seconds` of prior allow. A turn's pitch level and loudness therefore stay in its tokens:
they are style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import FRAME_RATE


@dataclass(frozen=True)
class FeatureStatistics:
    """Mean and spread per feature dimension (D,) over the corpus's train split."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(cls, features: Iterable[np.ndarray]) -> FeatureStatistics:
        """One pass over raw features (F, D) in fp64; needs at least one frame.

        Raises `ValueError`.
        """
        count, total, squares = 0, 0.0, 0.0
        for x in features:
            x = x.astype(np.float64)
            count, total, squares = count + len(x), total + x.sum(0), squares + (x**2).sum(0)
        if not count:
            raise ValueError("no frames to fit feature statistics on")
        mean = np.asarray(total / count)
        std = np.sqrt(np.maximum(np.asarray(squares / count) - mean**2, 1e-8))
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def to_json(self) -> dict[str, Any]:
        """Plain lists."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FeatureStatistics:
        """Read `to_json` back; bit-identical. Raises `ValueError`."""
        mean, std = (np.asarray(values[k], dtype=np.float32) for k in ("mean", "std"))
        if mean.ndim != 1 or mean.shape != std.shape:
            raise ValueError("feature statistics: mean and std must be lists of one length")
        return cls(mean, std)


@dataclass(frozen=True)
class SpeakerStatistics:
    """What has been heard of one speaker so far; a value, `update` returns a new one."""

    prior: FeatureStatistics
    pseudo_seconds: np.ndarray
    """(D,) weight of the prior per dimension, in seconds."""
    frames: float = 0.0
    total: np.ndarray | None = None

    def update(self, features: np.ndarray) -> SpeakerStatistics:
        """After hearing raw features (F, D)."""
        heard = features.astype(np.float64).sum(axis=0)
        total = heard if self.total is None else self.total + heard
        return replace(self, frames=self.frames + len(features), total=total)

    @property
    def mean(self) -> np.ndarray:
        """(D,) posterior mean: prior weighted by its seconds, speaker by the seconds heard."""
        if self.total is None:
            return self.prior.mean
        weight = self.pseudo_seconds.astype(np.float64) * FRAME_RATE
        values: np.ndarray = (
            (self.prior.mean * weight + self.total) / (weight + self.frames)
        ).astype(np.float32)
        return values

    def normalise(self, features: np.ndarray) -> np.ndarray:
        """(F, D) raw -> centred and scaled."""
        values: np.ndarray = ((features - self.mean) / self.prior.std).astype(np.float32)
        return values
