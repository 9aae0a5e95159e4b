"""Open dialogues by id: bounded in number, forgotten when idle, one piece of work at a time."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.server.config import LimitsConfig
from GPT_SoVITS.server.errors import ApiError, overloaded
from GPT_SoVITS.server.metrics import Metrics
from GPT_SoVITS.server.voice_pack import Voice

KEPT_CACHES = 8
"""Dialogues whose keys and values stay in memory; others encode their history again."""


@dataclass
class OpenDialogue:
    """A session and what the server knows about it. `busy` guards the session."""

    session: DialogueSession
    voice: Voice
    reference: Path | None
    """File that gives the replies their voice; None: the rule of the model."""
    id: str = field(default_factory=lambda: "dlg_" + secrets.token_hex(12))
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
        """The work is done; all but the latest dialogues give their caches' memory back."""
        with self._lock:
            dialogue.busy, dialogue.used = False, time.monotonic()
            idle = [one for one in self._open.values() if not one.busy]
            for one in sorted(idle, key=lambda one: -one.used)[KEPT_CACHES:]:
                one.session.context.forget()

    def delete(self, number: str) -> None:
        """Forget a dialogue."""
        self.get(number)
        with self._lock:
            self._open.pop(number, None)
            self._metrics.dialogues.set(len(self._open))

    def _expire(self) -> None:
        oldest = time.monotonic() - 60 * self._limits.dialogue_minutes
        for number in [n for n, one in self._open.items() if one.used < oldest and not one.busy]:
            del self._open[number]
        self._metrics.dialogues.set(len(self._open))
