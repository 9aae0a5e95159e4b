"""What the stages hand to each other, and what an engine must do to take one's place.

Samples are mono float32 (T,) at `RATE`; times are seconds from the start of the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

RATE = 16000


@dataclass(frozen=True)
class Region:
    """A stretch of a recording."""

    start: float
    stop: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.stop - self.start

    def cut(self, samples: np.ndarray) -> np.ndarray:
        """Its samples (T,), cut out of a recording at 16 kHz."""
        return samples[round(self.start * RATE) : round(self.stop * RATE)]


@dataclass(frozen=True)
class SpokenTurn:
    """One speaker speaks."""

    region: Region
    speaker: str
    text: str = ""


class VoiceActivity(Protocol):
    """Where is speech?"""

    def __call__(self, samples: np.ndarray) -> list[Region]:
        """Regions of speech, in order, not touching."""
        ...


class Separator(Protocol):
    """Voices apart from everything else."""

    def __call__(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T,) -> voices (T,), background (T,)."""
        ...


class SpeakerTurns(Protocol):
    """Who speaks when?"""

    def __call__(self, samples: np.ndarray, speech: Sequence[Region]) -> list[SpokenTurn]:
        """Turns in order; a change of speaker begins another."""
        ...


class Transcriber(Protocol):
    """What is said?"""

    def __call__(self, samples: np.ndarray, region: Region) -> str:
        """Text of one region of the recording; empty where nothing was understood."""
        ...
