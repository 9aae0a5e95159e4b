"""When each word of a reply is spoken: its sound in frames of 20 ms against its phonemes.

    phonemes   h @ l ou  ,        w @: l d  .
    frames     0 1 2 2 3 3 4 4 4  5 5 6 7 8 8 8     a path that never goes back
    words      [hello     ]       [world  ]

The path is the likeliest under two witnesses, both at hand when a reply is spoken:

    sound   silent frames belong to marks, sounding ones to phonemes
    rate    a phoneme's place follows from how long phonemes of its kind usually last, counted in
            sounding time

Against a forced alignment of recorded turns the edges of words are off by 0.1 s in the middle
(docs/inference.md). The attention of stage 2 on the text was tried as a third witness and did not
help.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.text.config import TextConfig
from GPT_SoVITS.text.english.pronounce import pronounce
from GPT_SoVITS.text.sequence import PhonemeSequence, Segment

PAUSES = frozenset({"SP", "SP2", "SP3", "_", *",.!?…-;:、。，！？~—"})
EDGE = "_"
"""Stands for silence before the first word and behind the last."""
SILENCE_DB = 32.0
"""A frame so far below the loudest is silent."""
SPREAD = 2.0
"""Frames by which a phoneme typically strays from its expected place."""
SPREAD_SHARE = 0.03
"""And the share of the reply's length that is added to it."""
WRONG_SOUND = 4.0
"""Log-odds of a mark that sounds; a phoneme that does not costs half."""
SKIP = 2.0
"""Log-odds of a phoneme that has no frame of its own."""
VOWEL_WEIGHT = 1.6
"""Vowels last so many times as long as consonants."""


@dataclass(frozen=True)
class TimedWord:
    """A word (a character in Chinese) and when it is spoken, in seconds from the reply's start."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class SpokenUnit:
    """A word of the text and how many phonemes it has; marks are units of no text."""

    text: str
    phonemes: int


def words_of(speech: Speech, config: TextConfig) -> list[TimedWord]:
    """The words of a whole reply; `config` is its frontend's (`talker.frontend.config`)."""
    words: list[TimedWord] = []
    for line in speech.lines:
        sound = speech.samples[line.start : line.end]
        path = align([EDGE, *line.phonemes.phonemes, EDGE], frame_levels(sound))
        units = [SpokenUnit("", 1), *units_of(line.phonemes, config), SpokenUnit("", 1)]
        words += timed_words(units, path, line.start / SAMPLE_RATE)
    return words


def units_of(spoken: PhonemeSequence, config: TextConfig) -> Iterator[SpokenUnit]:
    """Words and marks, in order; their phonemes add up to all.

    A stretch whose words cannot be told apart (read as the lexicon has it) is one unit.
    """
    for segment in spoken.segments:
        if segment.word2ph is not None:
            for character, count in zip(segment.normalized, segment.word2ph):
                yield SpokenUnit("" if character in PAUSES else character, count)
        else:
            yield from _words(segment, config)


def _words(segment: Segment, config: TextConfig) -> Iterator[SpokenUnit]:
    if segment.language == "en":
        words = pronounce(
            segment.normalized, edition=config.english_dictionary, tagger=config.english_tagger
        )
        if tuple(sound for word in words for sound in word.phonemes) == segment.phonemes:
            at = 0
            for word in words:
                text, at = _as_written(word.text, segment.text, at)
                yield SpokenUnit(_shown(text, word.phonemes), len(word.phonemes))
            return
    yield SpokenUnit(_shown(segment.text, segment.phonemes), len(segment.phonemes))


def _as_written(word: str, text: str, start: int) -> tuple[str, int]:
    """The word with the capitals of the text behind `start`, where it is there, and its end."""
    found = text.lower().find(word.lower(), start)
    if found < 0:
        return word, start
    return text[found : found + len(word)], found + len(word)


def _shown(text: str, phonemes: Sequence[str]) -> str:
    return "" if all(one in PAUSES for one in phonemes) else text.strip()


def frame_levels(samples: np.ndarray) -> np.ndarray:
    """Sound (T,) at 32 kHz -> level of each frame of 20 ms in dB (F,), at least one."""
    count = max(1, round(len(samples) / HOP_LENGTH))
    edges = np.linspace(0, len(samples), count + 1).astype(int)
    power = [float(np.square(samples[a:b]).sum()) / max(1, b - a) for a, b in zip(edges, edges[1:])]
    return 10 * np.log10(np.asarray(power) + 1e-10)


def align(phonemes: Sequence[str], levels: np.ndarray) -> np.ndarray:
    """Phonemes (X,) and levels (F,) in dB -> the phoneme of every frame (F,), never falling."""
    return best_path(_scores(phonemes, levels))


def best_path(score: np.ndarray) -> np.ndarray:
    """Log scores (F, X) -> the best path (F,) that stays, goes on or skips one phoneme."""
    n, x = score.shape
    if x > 2 * n:  # faster than anybody speaks: evenly
        values: np.ndarray = np.minimum((np.arange(n) * x) // n, x - 1)
        return values
    total = np.full(x, -np.inf)
    total[0] = score[0, 0]
    if x > 1:
        total[1] = score[0, 1] - SKIP
    moves = np.zeros((n, x), dtype=np.int8)
    for t in range(1, n):
        options = np.full((3, x), -np.inf)
        options[0], options[1, 1:], options[2, 2:] = total, total[:-1], total[:-2] - SKIP
        moves[t] = options.argmax(0)
        total = options.max(0) + score[t]
    place = x - 1 if x == 1 or total[-1] >= total[-2] - SKIP else x - 2
    path = np.zeros(n, dtype=np.int64)
    for t in range(n - 1, -1, -1):
        path[t] = place
        place -= int(moves[t, place])
    return path


def timed_words(
    units: Sequence[SpokenUnit], path: np.ndarray, start: float = 0.0
) -> list[TimedWord]:
    """Units and the phoneme of every frame (F,) -> words with their times; marks are left out."""
    firsts = np.searchsorted(path, np.arange(sum(unit.phonemes for unit in units) + 1))
    seconds = start + firsts * (HOP_LENGTH / SAMPLE_RATE)
    words, at = [], 0
    for unit in units:
        begin, at = at, at + unit.phonemes
        if unit.text:
            words.append(TimedWord(unit.text, float(seconds[begin]), float(seconds[at])))
    return words


def _scores(phonemes: Sequence[str], levels: np.ndarray) -> np.ndarray:
    """What sound and rate say, (F, X)."""
    silent = levels < levels.max() - SILENCE_DB
    mark = np.array([one in PAUSES for one in phonemes])
    score: np.ndarray = np.where(
        mark[None], -WRONG_SOUND * ~silent[:, None], -WRONG_SOUND / 2 * silent[:, None]
    )
    weight = np.array([0.0 if m else _weight(one) for one, m in zip(phonemes, mark)])
    if not weight.any():
        return score
    sounding = (~silent).astype(float)
    heard = np.cumsum(sounding) - sounding / 2  # (F,) sounding frames before
    place = (np.cumsum(weight) - weight / 2) / weight.sum() * sounding.sum()  # (X,)
    spread = SPREAD + SPREAD_SHARE * len(levels)
    score -= 0.5 * np.square((heard[:, None] - place[None]) / spread)
    return score


def _weight(phoneme: str) -> float:
    """Usual length of a phoneme: vowels (with a stress or a tone) are longer."""
    return VOWEL_WEIGHT if phoneme[-1].isdigit() else 1.0
