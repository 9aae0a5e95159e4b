"""A reply that goes back when it breaks down, and says so.

    drawn     a b c d c d c d c d …           :class:`CollapseWatch` finds a loop
    again     a b c d │ e f g …               back to its first round, with other random numbers

A whole reply goes back as far as it takes. In a stream what was handed out is final: suspect tokens
are held back until they are part of a collapse (then nobody has heard them) or turn out harmless.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from GPT_SoVITS.audio.constants import TOKEN_RATE
from GPT_SoVITS.inference.batching import SharedGeneration
from GPT_SoVITS.inference.cancel import Cancel, stop_if
from GPT_SoVITS.inference.collapse import SUSPECT_TOKENS, Collapse, CollapseWatch
from GPT_SoVITS.s1_gpt.generate import Generation
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

log = logging.getLogger(__name__)

LIVELIER = 0.15
"""Every retry draws at a temperature higher by this share."""
RETRY_TOP_K = 5
"""Candidates of a retry at least: the likeliest token alone would go round again."""

Drawn = Generation | SharedGeneration
Draw = Callable[[Sequence[int], int], Drawn]
"""(tokens to go on from, number of the retry) -> the generation that does"""


class Decoded(Protocol):
    """Tokens of one line as they are decided, and what is known of them afterwards."""

    tokens: list[int]
    """The reply's tokens: all of them once the iteration is over."""
    collapses: list[Collapse]
    """What went wrong on the way."""
    gave_up: bool
    """The retries were used up: the reply ends where it broke down."""

    @property
    def cache(self) -> KVCache | None:
        """Keys and values of the prompt and of as many of the tokens as its length says; None for
        a reply that left a shared batch early."""

    def close(self) -> None:
        """No further token is wanted."""

    def __iter__(self) -> Iterator[int]:
        """Itself."""

    def __next__(self) -> int:
        """The next token."""


class SteadyGeneration(Iterator[int]):
    """Iterate it for the tokens; with ``final=False`` only ``tokens`` is valid, at the end."""

    def __init__(
        self,
        draw: Draw,
        *,
        retries: int,
        silent: Collection[int] = (),
        final: bool = False,
        cancel: Cancel | None = None,
    ) -> None:
        self._draw, self._retries, self._silent = draw, retries, silent
        self._final, self._cancel = final, cancel
        self._generation = draw((), 0)
        self._watch = CollapseWatch(silent)
        self._given, self._safe, self._over = 0, 0, False
        self.tokens: list[int] = []
        self.collapses: list[Collapse] = []
        self.gave_up = False

    @property
    def cache(self) -> KVCache | None:
        """Of the latest attempt."""
        return self._generation.cache

    def close(self) -> None:
        """No further token is wanted."""
        self._over = True
        self._generation.close()

    def __next__(self) -> int:
        while self._given >= self._safe:
            if self._over:
                raise StopIteration
            stop_if(self._cancel)
            self._advance()
        self._given += 1
        return self.tokens[self._given - 1]

    def _advance(self) -> None:
        token = next(self._generation, None)
        if token is None:
            self._over, self._safe = True, len(self.tokens)
            return
        self.tokens.append(token)
        self._watch.push(token)
        found = self._watch.collapse if self._retries else None
        if found is not None:
            self._go_back(found)
        elif not (self._final and self._retries and self._watch.suspect):
            self._safe = len(self.tokens)

    def _go_back(self, found: Collapse) -> None:
        """Keep the first round of a loop or a short pause, draw what follows once more."""
        over = len(self.collapses) >= self._retries
        keep = found.start + (found.period if found.period > 1 else SUSPECT_TOKENS)
        if not over:  # further back with every retry
            keep = max(0, keep - len(self.collapses) * TOKEN_RATE // 2)
        keep = max(keep, self._safe if self._final else 0)
        self.collapses.append(found)
        self._generation.close()
        del self.tokens[keep:]
        self._safe = len(self.tokens)
        self._given = min(self._given, self._safe)
        log.info("%s: %s", found, "the reply ends there" if over else "drawn again")
        if over:
            self._over = self.gave_up = True
            return
        self._generation = self._draw(tuple(self.tokens), len(self.collapses))
        self._watch = CollapseWatch(self._silent)
        for token in self.tokens:
            self._watch.push(token)


def livelier(options: SamplingOptions, retry: int) -> SamplingOptions:
    """Sampling of a retry: what failed once must not be what comes again."""
    if not retry:
        return options
    return dataclasses.replace(
        options,
        temperature=max(options.temperature, 0.1) * (1 + LIVELIER * retry),
        top_k=max(options.top_k, RETRY_TOP_K),
    )
