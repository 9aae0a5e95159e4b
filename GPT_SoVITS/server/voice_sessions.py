"""Sessions in which a voice's reference was heard already; every request forks one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.voice import read_reference
from GPT_SoVITS.server.engine import Engine
from GPT_SoVITS.server.voice_pack import Voice

KEPT = 32


@dataclass(frozen=True)
class _Prepared:
    session: DialogueSession
    references: list[np.ndarray]


class VoiceSessions:
    """The voices used last, ready to speak; for many threads."""

    def __init__(self, engine: Engine, *, size: int = KEPT) -> None:
        self._engine, self._size = engine, size
        self._kept: OrderedDict[Voice, _Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def fork(self, voice: Voice) -> tuple[DialogueSession, list[np.ndarray]]:
        """A session of its own that heard the voice, and the references [(T,) samples]."""
        with self._lock:
            found = self._kept.get(voice)
            if found is not None:
                self._kept.move_to_end(voice)
        if found is None:  # made outside the lock, so that other voices need not wait
            found = self._prepare(voice)
            with self._lock:
                self._kept[voice] = found
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return found.session.fork(private=True), found.references

    def _prepare(self, voice: Voice) -> _Prepared:
        talker, decoding = self._engine.served(voice.model)
        references = [read_reference(clip) for clip in (voice.clip, *voice.others)]
        session = talker.session(agent=voice.name, decoding=decoding).fork(private=True)
        if voice.text:  # the reference's own words come first, as history
            turn = Turn(voice.name, voice.text, voice.language)
            session.add(turn, samples=references[0])
            session.context.warm()
        return _Prepared(session, references)
