"""Open dialogues by id: bounded in number, forgotten when idle, one reply at a time each."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

import numpy as np

from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.server.batching import BatchedContext
from GPT_SoVITS.server.config import LimitsConfig
from GPT_SoVITS.server.errors import ApiError, overloaded
from GPT_SoVITS.server.metrics import Metrics
from GPT_SoVITS.server.voice_pack import Voice

KEPT_CACHES = 32
"""Dialogues whose keys and values stay in memory; others encode their history again."""


@dataclass
class Heard:
    """A recording whose words are not known yet; text precedes speech, so it waits for them."""

    speaker: str
    language: str
    samples: np.ndarray


@dataclass
class OpenDialogue:
    """A session and what the server knows about it. `busy` guards the session."""

    session: DialogueSession
    context: BatchedContext
    voice: Voice
    reference: str | None
    """File that gives the replies their voice; None: the rule of the model."""
    id: str = field(default_factory=lambda: "dlg_" + secrets.token_hex(12))
    waiting: Heard | None = None
    busy: bool = False
    used: float = field(default_factory=time.monotonic)


class DialogueStore:
    """All open dialogues of this process; another worker rebuilds one from its turns."""

    def __init__(self, limits: LimitsConfig, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._open: dict[str, OpenDialogue] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def check_room(self) -> None:
        """Raises 429 where no further dialogue fits."""
        with self._lock:
            self._expire()
            if len(self._open) >= self._limits.dialogues:
                self._metrics.rejects.labels("dialogues_full").inc()
                raise overloaded("too many open dialogues; delete one", retry_after=60)

    def add(self, dialogue: OpenDialogue) -> OpenDialogue:
        """Keep a new dialogue."""
        self.check_room()
        with self._lock:
            self._open[dialogue.id] = dialogue
            self._metrics.dialogues.set(len(self._open))
        return dialogue

    def get(self, number: str) -> OpenDialogue:
        """The dialogue with this id; 404 where there is none (any more)."""
        with self._lock:
            self._expire()
            found = self._open.get(number)
            if found is None:
                raise ApiError(404, "dialogue_not_found", "no such dialogue; it may have expired")
            found.used = time.monotonic()
            return found

    def claim(self, number: str) -> OpenDialogue:
        """The dialogue, for one piece of work; 409 while another is under way."""
        found = self.get(number)
        with self._lock:
            if found.busy:
                raise ApiError(409, "dialogue_busy", "this dialogue is being worked on")
            found.busy = True
        return found

    def release(self, dialogue: OpenDialogue) -> None:
        """The work is done; the least recently used caches give their memory back."""
        with self._lock:
            dialogue.busy, dialogue.used = False, time.monotonic()
            idle = sorted(
                (one for one in self._open.values() if not one.busy), key=lambda one: -one.used
            )
        for one in idle[KEPT_CACHES:]:
            one.context.forget()

    def delete(self, number: str) -> OpenDialogue:
        """Forget a dialogue."""
        found = self.get(number)
        with self._lock:
            self._open.pop(number, None)
            self._metrics.dialogues.set(len(self._open))
        return found

    def _expire(self) -> None:
        oldest = time.monotonic() - 60 * self._limits.dialogue_minutes
        for number in [n for n, one in self._open.items() if one.used < oldest and not one.busy]:
            del self._open[number]
        self._metrics.dialogues.set(len(self._open))
