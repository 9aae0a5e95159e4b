"""A dialogue being spoken: turns come in as text and sound, replies go out.

    session = talker.session()
    session.add(Turn("user", "Where is my parcel?", audio="q.wav"))
    reply = session.respond("Let me look that up.")

A finished turn is encoded once and then frozen: its phonemes, its tokens and, as far as the layout
allows, its keys and values. The reply itself becomes history with the very tokens it was spoken
from. A turn may be heard before its text is known (``hear``, then ``write``); it is then encoded
again from its start, because text precedes speech. A session belongs to one thread; the talker
behind it serves many.

What a session holds is bounded by ``max_bytes``, half for keys and values, half for sound
(:mod:`GPT_SoVITS.inference.turns`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig
from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.cancel import Cancel
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.hearing import Recogniser, check_recogniser
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import Voice
from GPT_SoVITS.inference.reply import PreparedLine, Reply, joined
from GPT_SoVITS.inference.script import Line, Silence, script_of
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.turns import MAX_BYTES, FinishedTurn, FinishedTurns, bounded
from GPT_SoVITS.inference.voice import HeardAudio, References, choose_references

if TYPE_CHECKING:
    from GPT_SoVITS.inference.talker import Talker

MAX_TURN_SECONDS = 60.0


class DialogueSession:
    """Turns so far, and the state that makes the next reply quick."""

    def __init__(
        self,
        talker: Talker,
        *,
        agent: str = "agent",
        layout: LayoutConfig | None = None,
        options: GenerationOptions | None = None,
        max_bytes: int = MAX_BYTES,
        decoding: SharedDecoding | None = None,
    ) -> None:
        self._talker = talker
        self._options = options or talker.options
        if decoding is None:
            decoding = talker.decoding(self._options.precision, (layout or talker.layout).mask)
        decoder = talker.decoder(self._options.precision) if decoding is None else decoding.decoder
        layout = bounded(layout or talker.layout, decoder.bytes_per_column, max_bytes // 2)
        self._context = DialogueContext(
            decoder,
            agent=agent,
            layout=layout,
            shared=talker.prefixes(decoder.precision, layout.mask),
            decoding=decoding,
        )
        self._turns = FinishedTurns(talker, max_bytes=max_bytes // 2)

    @property
    def agent(self) -> str:
        """The speaker who responds in this session."""
        return self._context.agent

    @property
    def turns(self) -> tuple[FinishedTurn, ...]:
        """All finished turns; hand them to ``rebuild`` to get this session again."""
        return tuple(self._turns.all)

    @property
    def context(self) -> DialogueContext:
        """Stage 1's view: sequence and cache (for tests and measurements)."""
        return self._context

    def add(self, turn: Turn, *, samples: np.ndarray | None = None) -> FinishedTurn:
        """Add a finished turn: its text, and its sound (T,), 32 kHz, given or of its file."""
        phonemes, bert = self._talker.encode_text(turn.text, turn.language)
        if samples is None and turn.audio is not None:
            samples = load_audio(turn.audio, max_seconds=MAX_TURN_SECONDS)
        return self._finish(turn.speaker, turn, np.asarray(phonemes.ids), bert, samples)

    def hear(self, speaker: str, samples: np.ndarray) -> FinishedTurn:
        """Add a finished turn by its sound (T,), 32 kHz, alone; :meth:`write` may give its text."""
        return self._finish(speaker, None, np.zeros(0, dtype=np.int64), None, samples)

    def write(self, index: int, text: str, *, language: str = "auto") -> FinishedTurn:
        """The text of turn ``index``, which was only heard so far.

        Its tokens stay; it and what follows is encoded anew, what came before is not.

        Raises `ValueError`.
        """
        one = self._turns.all[index]
        if one.turn is not None:
            raise ValueError(f"turn {index} has its text already: {one.turn.text!r}")
        phonemes, bert = self._talker.encode_text(text, language)
        encoded = dataclasses.replace(one.encoded, phonemes=np.asarray(phonemes.ids), bert=bert)
        written = dataclasses.replace(
            one,
            turn=Turn(one.speaker, text, language),
            encoded=self._context.replace(index, encoded),
        )
        self._turns.all[index] = written
        self._warm()
        return written

    def respond(
        self,
        text: str,
        *,
        language: str = "auto",
        reference_audio: References | None = None,
        options: GenerationOptions | None = None,
        cancel: Cancel | None = None,
        recogniser: Recogniser | None = None,
    ) -> Speech:
        """Speak the agent's next turn and keep it as history.

        `text` may be long (it is cut by meaning) or an SSML document. Once `cancel` is set,
        :class:`ReplyCancelled` is raised and nothing is kept. A `recogniser` hears every line, and
        one it does not understand is said again (`check_attempts`, `check_tolerance`).
        """
        check_recogniser(recogniser)
        reply = self._prepare(text, language, reference_audio, options, cancel, recogniser)
        speech = reply.whole()
        self._keep(reply, text, language)
        return speech

    def stream(
        self,
        text: str,
        *,
        language: str = "auto",
        reference_audio: References | None = None,
        options: GenerationOptions | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Speech]:
        """Speak in chunks while tokens still come; wrong input is an error of this call.

        Closing the iterator cancels the reply, as `cancel` does (which raises
        :class:`ReplyCancelled`); it is then kept as far as it was spoken.
        """
        reply = self._prepare(text, language, reference_audio, options, cancel)
        return self._streamed(reply, text, language)

    def _streamed(self, reply: Reply, text: str, language: str) -> Iterator[Speech]:
        chunks = reply.chunks()
        try:
            yield from chunks
        finally:
            chunks.close()  # type: ignore[attr-defined]
            if reply.spoken:
                self._keep(reply, text, language)

    def _prepare(
        self,
        text: str,
        language: str,
        given: References | None,
        options: GenerationOptions | None,
        cancel: Cancel | None,
        recogniser: Recogniser | None = None,
    ) -> Reply:
        """Everything that can be wrong with a request is found here, before any network runs."""
        options = options or self._options
        script = script_of(text, options)
        encoded = [
            self._talker.encode_text(line.text, language) if isinstance(line, Line) else None
            for line in script
        ]
        voices = self._voices(script, given)
        parts: list[PreparedLine | Silence] = []
        for line, text_of in zip(script, encoded):
            if isinstance(line, Silence) or text_of is None:
                parts.append(line)  # type: ignore[arg-type]
                continue
            own = dataclasses.replace(options, speed=line.speed)
            parts.append(PreparedLine(*text_of, voices[line.voice], own, line.text))
        return Reply(
            self._talker,
            self._context,
            parts,
            history=self._turns.for_stage2(self.agent),
            cancel=cancel,
            recogniser=recogniser,
            texts=[one.turn.text for one in self._turns.all if one.turn is not None],
        )

    def fork(self, *, private: bool = False) -> DialogueSession:
        """An independent continuation from here; what is finished is shared, not copied.

        What a ``private`` one encodes is not offered to other dialogues.
        """
        other = object.__new__(DialogueSession)
        other._talker, other._options = self._talker, self._options
        other._context = self._context.fork(private=private)
        other._turns = self._turns.copy()
        return other

    @classmethod
    def rebuild(
        cls,
        talker: Talker,
        turns: Sequence[FinishedTurn],
        *,
        agent: str = "agent",
        layout: LayoutConfig | None = None,
        options: GenerationOptions | None = None,
        max_bytes: int = MAX_BYTES,
        decoding: SharedDecoding | None = None,
    ) -> DialogueSession:
        """A session from finished turns: tokens as they were, speaker statistics too.

        The statistics kept with a turn are taken; turns without them are heard again in order.
        """
        session = cls(
            talker,
            agent=agent,
            layout=layout,
            options=options,
            max_bytes=max_bytes,
            decoding=decoding,
        )
        for one in turns:
            session._append(one)
        session._turns.restore_statistics()
        session._turns.forget_old_sound()
        session._warm()
        return session

    def _voices(
        self, script: Sequence[Line | Silence], given: References | None
    ) -> dict[str | None, Voice]:
        """The voice of every line: the reply's own under None, those named in markup."""
        names = {line.voice for line in script if isinstance(line, Line)}
        if self._talker.has_own_voice:
            return dict.fromkeys(names, self._talker.voice(()))
        known, heard = self._talker.speakers, self._turns.heard()
        return {
            name: self._talker.voice(
                choose_references(
                    self.agent if name is None else name,
                    given=given if name is None else None,
                    heard=heard,
                    known=known,
                )
            )
            for name in sorted(names, key=str)
        }

    def _finish(
        self,
        speaker: str,
        turn: Turn | None,
        phonemes: np.ndarray,
        bert: np.ndarray | None,
        samples: np.ndarray | None,
    ) -> FinishedTurn:
        """A turn that came from outside: listen to it, append it, encode it."""
        codes, statistics = np.zeros(0, dtype=np.int64), None
        if samples is not None:
            codes, statistics = self._turns.listen(samples, speaker)
        encoded = EncodedTurn(speaker, phonemes, codes, bert)
        finished = self._append(FinishedTurn(turn, encoded, samples, statistics))
        self._turns.forget_old_sound()
        self._warm()
        return finished

    def _append(self, finished: FinishedTurn) -> FinishedTurn:
        encoded = self._context.add(finished.encoded)
        self._turns.all.append(dataclasses.replace(finished, encoded=encoded))
        return self._turns.all[-1]

    def _warm(self) -> None:
        """Encode a growing history ahead of the next response."""
        if self._context.layout.history_mode == "growing":
            self._context.warm()

    def _keep(self, reply: Reply, text: str, language: str) -> None:
        """Keep a spoken reply: its tokens are those it was spoken from, never encoded again."""
        samples = np.concatenate(reply.samples)
        turn = Turn(self.agent, text, language)
        self._append(FinishedTurn(turn, joined(reply.spoken), samples))
        self._turns.unheard.append(HeardAudio(self.agent, samples))
        self._turns.forget_old_sound()
