"""What the talker returns: sound, what it was made from, and what went wrong on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.inference.collapse import Collapse
from GPT_SoVITS.inference.hearing import Hearing
from GPT_SoVITS.text import PhonemeSequence


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
class SpokenLine:
    """What was said from sample `start` to `end` of the reply."""

    phonemes: PhonemeSequence
    start: int
    end: int


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
    lines: tuple[SpokenLine, ...] = ()
    """Which sound is which text; in a stream they come with each line's last chunk and count from
    the reply's start (:func:`GPT_SoVITS.inference.timing.words_of` has the words of both)."""
    reports: tuple[LineReport, ...] = ()
    """One per line spoken; in a stream they come with each line's last chunk."""

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / self.sample_rate


def joined_chunks(chunks: Sequence[Speech]) -> Speech:
    """The chunks of one stream as one reply."""
    last = chunks[-1]
    return Speech(
        np.concatenate([chunk.samples for chunk in chunks]),
        tuple(code for chunk in chunks for code in chunk.codes),
        tuple(name for line in _lines(chunks) for name in line.phonemes.phonemes),
        finished=last.finished,
        cut=last.cut,
        sample_rate=last.sample_rate,
        reports=tuple(report for chunk in chunks for report in chunk.reports),
        lines=_lines(chunks),
    )


def _lines(chunks: Sequence[Speech]) -> tuple[SpokenLine, ...]:
    return tuple(line for chunk in chunks for line in chunk.lines)
