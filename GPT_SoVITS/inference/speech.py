"""What the talker returns: sound, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE


@dataclass(frozen=True)
class Speech:
    """Spoken audio: a whole reply, or one chunk of a streamed one."""

    samples: np.ndarray
    """(T,) float32 in [-1, 1]"""
    codes: tuple[int, ...] = ()
    """Semantic tokens this audio was rendered from (25 per second at speed 1)."""
    phonemes: tuple[str, ...] = ()
    """Phonemes of the text."""
    finished: bool = True
    """False: more chunks follow."""
    cut: bool = False
    """The reply was cut at ``max_seconds``; in a stream the last chunk says so."""
    sample_rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / self.sample_rate
