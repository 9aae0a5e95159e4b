"""The best of several replies: decoded together, ranked by likelihood and length.

    candidate 0   -1.9 per token   ended            the best                <- spoken
    candidate 1   -2.3 per token   ended
    candidate 2   -1.2 per token   a loop           last, however likely it is

A loop is the likeliest thing a model can say; so whatever collapsed, did not end, or is too fast or
too slow to be its text comes behind all others. The rest is ordered by

    log p(reply) / tokens ** length_power        (Wu et al. 2016, eq. 14, without the constant)

where 1 is the mean per token and smaller powers prefer the short.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch

from GPT_SoVITS.audio.constants import TOKEN_RATE
from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.inference.cancel import Cancel
from GPT_SoVITS.inference.collapse import Collapse, find_collapse
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.steady import livelier
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

PHONEMES_PER_SECOND = (3.0, 25.0)
"""Speaking rates of the published training data (its filter); beyond them it is not the text."""

Seeds = Callable[[int], torch.Generator]
"""Number of a candidate, counted over all rounds -> its random numbers."""


@dataclass(frozen=True)
class Candidate:
    """One reply that might be spoken."""

    tokens: tuple[int, ...]
    log_probability: float
    """Of the tokens and their end; without penalty, truncation and temperature."""
    ended: bool
    """By itself, not at the longest reply."""
    cache: KVCache | None
    collapse: Collapse | None = None
    rate: float = 0.0
    """Phonemes per second."""

    @property
    def sound(self) -> bool:
        """Nothing is obviously wrong with it."""
        low, high = PHONEMES_PER_SECOND
        return self.ended and self.collapse is None and low <= self.rate <= high

    def score(self, length_power: float) -> float:
        """Higher is better."""
        return float(self.log_probability / max(1, len(self.tokens)) ** length_power)


def ranked(candidates: Sequence[Candidate], length_power: float = 1.0) -> list[Candidate]:
    """Best first; equals stay in their order."""

    def key(one: Candidate) -> tuple[bool, bool, float]:
        return one.collapse is not None, not one.sound, -one.score(length_power)

    return sorted(candidates, key=key)


class BestOf(Iterator[int]):
    """Tokens of the best candidate; all are decoded before the first one comes.

    A round in which every candidate collapsed is repeated with new random numbers, ``retries``
    times; then the best is spoken as far as it went well.
    """

    def __init__(
        self,
        context: DialogueContext,
        columns: Columns,
        options: SamplingOptions,
        seeds: Seeds,
        *,
        candidates: int,
        phonemes: int,
        length_power: float = 1.0,
        retries: int = 0,
        silent: Collection[int] = (),
        cancel: Cancel | None = None,
    ) -> None:
        self._context, self._columns, self._options = context, columns, options
        self._seeds, self._n, self._phonemes = seeds, candidates, phonemes
        self._power, self._retries, self._silent = length_power, retries, silent
        self._cancel = cancel
        self._given = 0
        self.candidates: list[Candidate] = []
        """Of the last round, best first."""
        self.collapses: list[Collapse] = []
        self.gave_up = False
        self.tokens: list[int] = []

    @property
    def cache(self) -> KVCache | None:
        """Of the candidate that was chosen."""
        return self.candidates[0].cache if self.candidates else None

    def __next__(self) -> int:
        if not self.candidates:
            self._decide()
        if self._given >= len(self.tokens):
            raise StopIteration
        self._given += 1
        return self.tokens[self._given - 1]

    def _decide(self) -> None:
        for retry in range(self._retries + 1):
            self.candidates = ranked(self._round(retry), self._power)
            bad = [one.collapse for one in self.candidates if one.collapse is not None]
            self.collapses += bad
            if len(bad) < len(self.candidates):
                break
        best = self.candidates[0]
        end = len(best.tokens)
        if best.collapse is not None and self._retries:
            end, self.gave_up = best.collapse.start + best.collapse.period, True
        self.tokens = list(best.tokens[:end])

    def _round(self, retry: int) -> list[Candidate]:
        first = retry * self._n
        seeds = [self._seeds(first + k) for k in range(self._n)]
        parts = self._context.complete(
            self._columns, livelier(self._options, retry), seeds, cancel=self._cancel
        )
        return [
            Candidate(
                part.tokens,
                part.log_probability,
                part.ended,
                part.cache,
                find_collapse(part.tokens, self._silent),
                self._phonemes * TOKEN_RATE / max(1, len(part.tokens)),
            )
            for part in parts
        ]

    def close(self) -> None:
        """No further token is wanted."""
        self._given = len(self.tokens)
