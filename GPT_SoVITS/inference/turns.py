"""The finished turns of a session: text, tokens, sound and speaker statistics, within a budget.

keys, values   `history_tokens` is at most what half the bytes hold; beyond it the oldest half
               of the turns leaves the sequence, as the growing layout has it (`bounded`)
sound          leaves the oldest turn first, but for each speaker's latest and what stage 2
               still hears; a turn keeps its text and tokens (`forget_old_sound`)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig, roles
from GPT_SoVITS.inference.voice import HeardAudio
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.s2_vits.history import PastTurn, collate_history, with_history_spectrograms

if TYPE_CHECKING:
    from GPT_SoVITS.inference.talker import Talker

MAX_BYTES = 2**30


@dataclass(frozen=True)
class FinishedTurn:
    """A turn of the session: what was given, and what it became."""

    turn: Turn | None
    """None while the turn was heard but its text is not known."""
    encoded: EncodedTurn
    samples: np.ndarray | None
    """(T,) float32, 32 kHz; None for a turn known by its text only, or long ago."""
    statistics: Any = None
    """The speaker statistics after this turn was heard; None where it was not, or not yet."""

    @property
    def speaker(self) -> str:
        """Who spoke."""
        return self.encoded.speaker


class FinishedTurns:
    """All turns so far, and the speaker statistics that have heard them."""

    def __init__(self, talker: Talker, *, max_bytes: int) -> None:
        self._talker, self._max_bytes = talker, max_bytes
        self.all: list[FinishedTurn] = []
        self._statistics: Any = talker.start_features()
        self.unheard: list[HeardAudio] = []
        """Own replies the speaker statistics have not seen yet; read when the next turn comes."""

    def copy(self) -> FinishedTurns:
        """The same turns, to go on with independently."""
        other = FinishedTurns(self._talker, max_bytes=self._max_bytes)
        other.all, other.unheard = list(self.all), list(self.unheard)
        other._statistics = self._statistics
        return other

    def heard(self, start: int = 0) -> list[HeardAudio]:
        """The turns from `start` on whose sound is still known, oldest first."""
        return [
            HeardAudio(one.speaker, one.samples)
            for one in self.all[start:]
            if one.samples is not None
        ]

    def listen(self, samples: np.ndarray, speaker: str) -> tuple[np.ndarray, Any]:
        """(T,) samples -> (N,) tokens and the statistics after them, our own replies heard first.

        The samples are at 32 kHz, the tokens 25 per second.
        """
        self._catch_up()
        codes, self._statistics = self._talker.encode_speech(samples, speaker, self._statistics)
        return codes, self._statistics

    def restore_statistics(self) -> None:
        """Go on from the latest statistics kept; what came after is heard when it is needed."""
        known = [i for i, one in enumerate(self.all) if one.statistics is not None]
        start = 0
        if known:
            start, self._statistics = known[-1] + 1, self.all[known[-1]].statistics
        self.unheard = self.heard(start)

    def forget_old_sound(self) -> None:
        """The rule of the module's head: oldest first, as little as keeps the budget."""
        held = [one.samples.nbytes for one in self.all if one.samples is not None]
        excess = sum(held) - self._max_bytes
        if excess <= 0:
            return
        self._catch_up()
        latest = {one.speaker: i for i, one in enumerate(self.all) if one.samples is not None}
        near = len(self.all) - max(1, self._talker.s2.config.history_turns)
        for i, one in enumerate(self.all[: max(0, near)]):
            if excess <= 0:
                return
            if one.samples is not None and latest[one.speaker] != i:
                excess -= one.samples.nbytes
                self.all[i] = dataclasses.replace(one, samples=None)

    def for_stage2(self, agent: str) -> HistoryBatch | None:
        """The latest turns as stage 2 hears them; None for a model without enrichment."""
        config = self._talker.s2.config
        if not config.hears_history:
            return None
        latest = self.all[-config.history_turns :]
        role = roles([one.speaker for one in self.all], agent)[-config.history_turns :]
        past = [
            PastTurn(one.encoded.phonemes, one.samples, role[k], len(latest) - k)
            for k, one in enumerate(latest)
        ]
        history = collate_history([past])
        return (
            None if history is None else with_history_spectrograms(history.to(self._talker.device))
        )

    def _catch_up(self) -> None:
        """Let the speaker statistics hear our own replies; they then know all turns so far."""
        if not self.unheard or self._statistics is None:
            return
        for reply in self.unheard:
            _, self._statistics = self._talker.encode_speech(
                reply.samples, reply.speaker, self._statistics
            )
        self.unheard = []
        self.all[-1] = dataclasses.replace(self.all[-1], statistics=self._statistics)


def bounded(layout: LayoutConfig, bytes_per_column: int, max_bytes: int) -> LayoutConfig:
    """The layout with a growing history cut to what so many bytes of keys and values hold.

    Raises `ValueError`.
    """
    most = max_bytes // bytes_per_column
    if layout.history_mode == "window" or layout.history_tokens <= most:
        return layout
    if most < 1:
        raise ValueError(f"max_bytes is too small for a column of {bytes_per_column} bytes")
    return dataclasses.replace(layout, history_tokens=most)
