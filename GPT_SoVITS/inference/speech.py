"""What the talker returns: sound, what it was made from, and what went wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.inference.collapse import Collapse
from GPT_SoVITS.inference.hearing import Hearing


@dataclass(frozen=True)
class LineReport:
    """How a line came about; a line that went well at once has an empty one."""

    collapses: tuple[Collapse, ...] = ()
    """Loops and silences noticed; each was drawn again while retries were left."""
    gave_up: bool = False
    """It still broke down after the last retry and ends there."""
    scores: tuple[float, ...] = ()
    """Of the candidates, the spoken one first."""
    hearings: tuple[Hearing, ...] = ()
    """What a recogniser heard in each attempt, in order."""
    chosen: int = 0
    """The attempt that is spoken."""
    shortened: int = 0
    """Silent tokens left out."""


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
    reports: tuple[LineReport, ...] = ()
    """One per line spoken; in a stream they come with each line's last chunk."""

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / self.sample_rate
