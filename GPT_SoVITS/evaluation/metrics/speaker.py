"""Speaker similarity: cosine of two embeddings; the embedding is pluggable.

`timbre_statistics` needs no weights: mean and spread of mel cepstra over speech frames. It tells
the demo corpus's voices apart and follows timbre, channel and, a little, style; it is **not** a
verification network, and its figures compare with themselves only. `network` takes the published
ERes2NetV2 (the speaker network of the Pro versions) from a local file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from GPT_SoVITS.evaluation.metrics.loudness import PAUSE_DB, frame_levels
from GPT_SoVITS.evaluation.metrics.spectrum import mel_cepstra

Embedding = Callable[[np.ndarray, int], np.ndarray]
"""samples (T,), sample rate -> vector (D,)"""
# Mean and spread of each coefficient's utterance mean and of its utterance spread over the demo
# corpus would fit one corpus; fixed scales of cepstra of speech in general do for a cosine.
SCALE = 1.0 / np.sqrt(np.arange(1, 14))


def timbre_statistics(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """(T,) -> (26,): scaled mean and spread of cepstra 1..13 over speech frames."""
    cepstra = mel_cepstra(samples, sample_rate=sample_rate)
    levels = frame_levels(samples, sample_rate=sample_rate)
    n = min(len(cepstra), len(levels))
    speech = cepstra[:n][levels[:n] > levels[:n].max() - PAUSE_DB]
    return np.concatenate([speech.mean(0) * SCALE, speech.std(0) * SCALE])


def network(path: str | Path) -> Embedding:
    """The published speaker network in a local file or talker folder -> its embedding."""
    from GPT_SoVITS.audio.constants import SAMPLE_RATE
    from GPT_SoVITS.checkpoints import load_speaker
    from GPT_SoVITS.evaluation.metrics.spectrum import resampled
    from GPT_SoVITS.features.speaker import SpeakerFeatures

    features = SpeakerFeatures(load_speaker(Path(path))[0])
    return lambda samples, rate: features(resampled(samples, rate, SAMPLE_RATE))


def similarity(
    samples: np.ndarray,
    reference: np.ndarray,
    *,
    sample_rate: int,
    embedding: Embedding = timbre_statistics,
) -> float:
    """Cosine in [-1, 1] of the embeddings of two recordings (T,), (T',)."""
    x, y = embedding(samples, sample_rate), embedding(reference, sample_rate)
    return cosine(x, y)


def cosine(x: np.ndarray, y: np.ndarray) -> float:
    """(D,), (D,) -> x . y / |x| |y|, in [-1, 1]. Raises `ValueError`."""
    length = float(np.linalg.norm(x) * np.linalg.norm(y))
    if length == 0:
        raise ValueError("an embedding of length zero has no direction")
    return float(x @ y) / length
