"""A reply heard again: are the words there, each of them once, and no others?

    expected   please   hold the       line for me
    heard      please        the the   line for me your parcel
                      │skipped   └repeated        └leaked: words of the history, not of the text

Skipped, repeated and leaked words are what users of such models complain of most. Any recogniser
that returns words will do (:mod:`GPT_SoVITS.evaluation.asr` has some); it is given with a request,
because inference itself needs none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from GPT_SoVITS.text.spoken_form import language_of, spoken_form

GAP = 1000
"""Cost of a word too much or too little; a wrong word costs one more, so that of two alignments
with as many edits the one with more right words is taken."""
NEAR = 4
"""A word heard too much is repeated if the text has it within so many words."""


class Heard(Protocol):
    """What a recogniser returns."""

    @property
    def text(self) -> str:
        """The words."""


class Recogniser(Protocol):
    """Speech to text, as :class:`GPT_SoVITS.evaluation.asr.interface.Recognizer`."""

    @property
    def unit(self) -> str:
        """``words``; what hears phones cannot check a reply."""

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Heard:
        """(T,) float -> what was said."""


class RecogniserError(ValueError):
    """The recogniser given cannot check a reply."""


@dataclass(frozen=True)
class Hearing:
    """One attempt of a line against its text; words in spoken form (Chinese: characters)."""

    expected: str
    heard: str
    substitutions: int
    skipped: tuple[str, ...]
    repeated: tuple[str, ...]
    leaked: tuple[str, ...]
    """Said in the history, not in the text."""
    added: tuple[str, ...]
    """Any other word too much."""

    @property
    def errors(self) -> int:
        """All edits between text and transcript."""
        more = (self.skipped, self.repeated, self.leaked, self.added)
        return self.substitutions + sum(len(words) for words in more)

    @property
    def rate(self) -> float:
        """Errors per word of the text."""
        return self.errors / max(1, len(self.expected.split()))


def check_recogniser(recogniser: Recogniser | None) -> None:
    """Before any network runs: does it return words? Raises `RecogniserError`."""
    unit = getattr(recogniser, "unit", "words")
    if recogniser is not None and unit != "words":
        raise RecogniserError(f"a reply is checked by its words; this recogniser hears {unit}")


def listen(
    recogniser: Recogniser,
    samples: np.ndarray,
    text: str,
    *,
    sample_rate: int,
    history: Collection[str] = (),
) -> Hearing:
    """(T,) samples of a line and its text -> what is wrong; ``history`` are earlier texts."""
    language = language_of(text)
    found = recogniser.transcribe(samples, sample_rate=sample_rate, language=language)
    expected = spoken_form(text, language).split()
    heard = spoken_form(found.text, language).split()
    past = {word for one in history for word in spoken_form(one, language_of(one)).split()}
    return compare(expected, heard, past=past)


def compare(
    expected: Sequence[str], heard: Sequence[str], *, past: Collection[str] = ()
) -> Hearing:
    """Words that should have been said, words that were."""
    pairs = alignment(expected, heard)
    skipped = [expected[i] for i, j in pairs if i is not None and j is None]
    both = [(i, j) for i, j in pairs if i is not None and j is not None]
    repeated, leaked, added = [], [], []
    for j, place in _places(pairs).items():
        word = heard[j]
        if word in expected[max(0, place - NEAR) : place + NEAR]:
            repeated.append(word)
        elif word in past and word not in expected:
            leaked.append(word)
        else:
            added.append(word)
    return Hearing(
        " ".join(expected),
        " ".join(heard),
        sum(expected[i] != heard[j] for i, j in both),
        tuple(skipped),
        tuple(repeated),
        tuple(leaked),
        tuple(added),
    )


def alignment(expected: Sequence[str], heard: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Least edits as pairs of places; None where one side has no word (Wagner and Fischer)."""
    n, m = len(expected), len(heard)
    cost = np.zeros((n + 1, m + 1), dtype=np.int64)
    cost[:, 0], cost[0] = np.arange(n + 1) * GAP, np.arange(m + 1) * GAP
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            same = cost[i - 1, j - 1] + (expected[i - 1] != heard[j - 1]) * (GAP + 1)
            cost[i, j] = min(same, cost[i - 1, j] + GAP, cost[i, j - 1] + GAP)
    pairs: list[tuple[int | None, int | None]] = []
    i, j = n, m
    while i or j:
        differ = i > 0 and j > 0 and expected[i - 1] != heard[j - 1]
        if i and j and cost[i, j] == cost[i - 1, j - 1] + differ * (GAP + 1):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif i and cost[i, j] == cost[i - 1, j] + GAP:
            i -= 1
            pairs.append((i, None))
        else:
            j -= 1
            pairs.append((None, j))
    return pairs[::-1]


def _places(pairs: Sequence[tuple[int | None, int | None]]) -> dict[int, int]:
    """Words heard too much -> how many expected words come before."""
    places, before = {}, 0
    for i, j in pairs:
        if i is not None:
            before = i + 1
        elif j is not None:
            places[j] = before
    return places
