"""Collapse of a reply while it is decoded: a loop, or silence without end.

    tokens    7 3 | 5 9 5 9 5 9 5 9 …      period 2: equal to the token two before
    suspect         held back from here, in case it goes on
    collapse      said LOOP_TOKENS long and more than LOOP_REPEATS times over

Speech repeats words, hardly ever the same tokens: a region that equals itself shifted is a loop.
A pause is one token, or several silent ones, again and again; it may last longer. See
:mod:`GPT_SoVITS.inference.steady` for what is done about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.audio.constants import TOKEN_RATE

LONGEST_PERIOD = 2 * TOKEN_RATE
"""Loops of up to two seconds are found."""
LOOP_TOKENS = TOKEN_RATE
"""A loop has repeated itself for at least this long (one second)."""
LOOP_REPEATS = 3
"""And it has come back at least so often."""
STILL_TOKENS = 2 * TOKEN_RATE
"""A pause, or one token held, lasts at most this long (two seconds)."""
SUSPECT_TOKENS = 8
"""Repeated tokens from which on a reply is suspect; a pause of this length is nothing yet."""


@dataclass(frozen=True)
class Collapse:
    """Where a reply broke down."""

    kind: str
    """loop | silence"""
    start: int
    """First token of the repetition."""
    tokens: int
    """Its length when it was noticed."""
    period: int
    """Tokens after which it repeats; 1 for one token held and for silence."""

    def __str__(self) -> str:
        where = f"from {self.start / TOKEN_RATE:.1f} s for {self.tokens / TOKEN_RATE:.1f} s"
        again = f", period {self.period / TOKEN_RATE:.2f} s" if self.kind == "loop" else ""
        return f"{self.kind} {where}{again}"


class CollapseWatch:
    """Fed token by token; knows how long every period has been repeating itself."""

    def __init__(self, silent: Collection[int] = ()) -> None:
        self._silent = np.asarray(sorted(silent), dtype=np.int64)
        self._past = np.full(LONGEST_PERIOD, -1, dtype=np.int64)
        """The latest tokens, newest first; silent ones are all the same."""
        self._runs = np.zeros(LONGEST_PERIOD, dtype=np.int64)
        """(P,) tokens in a row that equal the one so many before."""
        self._quiet = 0
        self.length = 0

    def push(self, token: int) -> None:
        """One more token."""
        quiet = bool(np.isin(token, self._silent))
        token = -2 if quiet else token
        self._runs = (self._runs + 1) * (self._past == token)
        self._past = np.concatenate([[token], self._past[:-1]])
        self._quiet = self._quiet + 1 if quiet else 0
        self.length += 1

    @property
    def suspect(self) -> bool:
        """Whether the latest tokens may be the beginning of a collapse."""
        return bool(self._runs.max() >= SUSPECT_TOKENS or self._quiet >= SUSPECT_TOKENS)

    @property
    def collapse(self) -> Collapse | None:
        """What is wrong by now."""
        if self._quiet >= STILL_TOKENS:
            return Collapse("silence", self.length - self._quiet, self._quiet, 1)
        held = int(self._runs[0])
        if held + 1 >= STILL_TOKENS and not self._quiet:
            return Collapse("loop", self.length - held - 1, held + 1, 1)
        if held:  # a pause so far: every other period repeats as well
            return None
        periods = np.arange(1, LONGEST_PERIOD + 1)
        bad = self._runs >= np.maximum(LOOP_TOKENS, LOOP_REPEATS * periods)
        if not bad.any():
            return None
        period = int(np.argmax(bad)) + 1
        run = int(self._runs[period - 1])
        return Collapse("loop", self.length - run - period, run + period, period)


def find_collapse(tokens: Iterable[int], silent: Collection[int] = ()) -> Collapse | None:
    """The first collapse in a whole reply (N,), or None."""
    watch = CollapseWatch(silent)
    for token in tokens:
        watch.push(token)
        if (found := watch.collapse) is not None:
            return found
    return None


def shrink_silence(
    tokens: Iterable[int], silent: Collection[int], *, longest: int, beyond: int
) -> list[int]:
    """Every run of silent tokens cut to ``longest``, if there are more than ``beyond`` in all.

    The rule of IndexTTS (10 and 30 there, for its one silent token).
    """
    given, quiet = list(tokens), frozenset(silent)
    if longest < 1 or sum(token in quiet for token in given) <= beyond:
        return given
    kept, run = [], 0
    for token in given:
        run = run + 1 if token in quiet else 0
        if run <= longest:
            kept.append(token)
    return kept
