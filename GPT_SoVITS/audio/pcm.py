"""Samples as 16-bit integers."""

from __future__ import annotations

import numpy as np


def to_pcm(samples: np.ndarray) -> np.ndarray:
    """(T,) float32, any rate -> int16; clipped, never wrapped."""
    values: np.ndarray = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    return values
