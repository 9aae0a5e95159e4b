"""A conversation of one visitor: what was said, the next reply, and what it would be otherwise."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.studio.errors import StudioError

if TYPE_CHECKING:
    from GPT_SoVITS.inference import DialogueSession, GenerationOptions, Speech, Talker
    from GPT_SoVITS.inference.turns import FinishedTurn

USER = "user"


@dataclass(frozen=True)
class Reply:
    """What a reply was asked for with; kept so that it can be spoken again under other terms."""

    text: str
    language: str
    reference: str | None
    options: GenerationOptions


class Conversation:
    """Lives in the state of one page; the talker behind it is shared and stays as it is."""

    def __init__(self, talker: Talker, *, agent: str) -> None:
        self.talker, self.agent = talker, agent
        self.session: DialogueSession = talker.session(agent=agent)
        self.replies: list[Reply] = []

    @property
    def turns(self) -> tuple[FinishedTurn, ...]:
        """Everything said so far."""
        return self.session.turns

    def hear(self, text: str, audio: str | None, *, language: str = "auto") -> None:
        """The user's turn, by text and, where there is one, its recording. Raises `StudioError`."""
        if not text.strip():
            raise StudioError(
                "write what the user says: a recording is heard for its style, its words are "
                "read from the text"
            )
        self.session.add(Turn(USER, text, language, audio))

    def reply(self, asked: Reply) -> Iterator[Speech]:
        """Chunks of the agent's turn; closing the iterator keeps what was spoken.

        Raises `StudioError`.
        """
        if not asked.text.strip():
            raise StudioError("write what the agent should say")
        before = len(self.turns)
        try:
            yield from self.session.stream(
                asked.text,
                language=asked.language,
                reference_audio=asked.reference,
                options=asked.options,
            )
        finally:
            if len(self.turns) > before:
                self.replies.append(asked)

    def undo(self) -> None:
        """Take the last turn back. Raises `StudioError`."""
        if not self.turns:
            raise StudioError("nothing has been said yet")
        if self.turns[-1].speaker == self.agent and self.replies:
            self.replies.pop()
        self.session = self._rebuilt(self.turns[:-1])

    def what_if(
        self,
        *,
        without_history: bool = False,
        last_user_audio: str | None = None,
        voice: str | None = None,
    ) -> Speech:
        """The last reply again, with the same seed: as it was, or under one other condition.

        Raises `StudioError`.
        """
        if not self.replies or self.turns[-1].speaker != self.agent:
            raise StudioError("let the agent reply first; then it can be compared")
        from GPT_SoVITS.inference import DialogueSession

        asked, before = self.replies[-1], self.turns[:-1]
        if without_history:
            session = self.talker.session(agent=self.agent)
        elif last_user_audio is not None:
            session = self._with_other_style(before, last_user_audio)
        else:
            session = DialogueSession.rebuild(self.talker, before, agent=self.agent)
        return session.respond(
            asked.text,
            language=asked.language,
            reference_audio=voice or asked.reference,
            options=asked.options,
        )

    def reference(self, place: Path) -> str | None:
        """The recording the last reply took its voice from, so that only one thing is varied."""
        from GPT_SoVITS.audio.io import save_audio

        asked = self.replies[-1] if self.replies else None
        if asked is not None and asked.reference is not None:
            return asked.reference
        for one in reversed(self.turns[:-1]):
            if one.speaker == self.agent and one.samples is not None:
                return str(save_audio(place, one.samples))
        known = self.talker.speakers.get(self.agent)
        return None if known is None else str(known.clip)

    def _with_other_style(self, before: tuple[FinishedTurn, ...], audio: str) -> DialogueSession:
        place = max((i for i, one in enumerate(before) if one.speaker != self.agent), default=None)
        if place is None:
            raise StudioError("there is no turn of the user yet whose style could be another")
        session = self._rebuilt(before[:place])
        session.add(dataclasses.replace(said(before[place]), audio=audio))
        for one in before[place + 1 :]:
            session.add(said(one), samples=one.samples)
        return session

    def _rebuilt(self, turns: tuple[FinishedTurn, ...]) -> DialogueSession:
        from GPT_SoVITS.inference import DialogueSession

        return DialogueSession.rebuild(self.talker, turns, agent=self.agent)


def said(one: FinishedTurn) -> Turn:
    """Its words; here every turn has them from the beginning. Raises `StudioError`."""
    if one.turn is None:
        raise StudioError("this turn has no words yet")
    return one.turn
