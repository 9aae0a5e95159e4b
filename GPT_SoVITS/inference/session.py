"""A dialogue being spoken: turns come in as text and sound, replies go out.

    session = talker.session()
    session.add(Turn("user", "Where is my parcel?", audio="q.wav"))
    reply = session.respond("Let me look that up.")

A finished turn is encoded once and then frozen: its phonemes, its tokens and, as far as the layout
allows, its keys and values. The reply itself becomes history with the very tokens it was spoken
from. A session belongs to one thread; the talker behind it serves many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from GPT_SoVITS.audio.constants import TOKEN_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig, roles
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import Voice, render, render_stream
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.voice import HeardAudio, choose_reference, read_reference
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.s2_vits.history import PastTurn, collate_history, with_history_spectrograms

if TYPE_CHECKING:
    from GPT_SoVITS.inference.talker import Talker

MAX_TURN_SECONDS = 60.0


@dataclass(frozen=True)
class FinishedTurn:
    """A turn of the session: what was given, and what it became."""

    turn: Turn
    encoded: EncodedTurn
    samples: np.ndarray | None
    """(T,) float32, 32 kHz; None for a turn known by its text only."""


class DialogueSession:
    """Turns so far, and the state that makes the next reply quick."""

    def __init__(
        self,
        talker: Talker,
        *,
        agent: str = "agent",
        layout: LayoutConfig | None = None,
        options: GenerationOptions | None = None,
    ) -> None:
        self._talker = talker
        self._options = options or talker.options
        self._context = DialogueContext(talker.s1, agent=agent, layout=layout or talker.layout)
        self._turns: list[FinishedTurn] = []
        self._feature_state: Any = talker.start_features()
        self._unheard: list[HeardAudio] = []
        """Own replies the speaker statistics have not seen yet; read when the next turn comes."""

    @property
    def agent(self) -> str:
        """The speaker who responds in this session."""
        return self._context.agent

    @property
    def turns(self) -> tuple[FinishedTurn, ...]:
        """All finished turns; hand them to ``rebuild`` to get this session again."""
        return tuple(self._turns)

    @property
    def context(self) -> DialogueContext:
        """Stage 1's view: sequence and cache (for tests and measurements)."""
        return self._context

    def add(self, turn: Turn, *, samples: np.ndarray | None = None) -> FinishedTurn:
        """Add a finished turn: its text, and its sound from ``samples`` or ``turn.audio``."""
        phonemes, bert = self._talker.encode_text(turn.text, turn.language)
        if samples is None and turn.audio is not None:
            samples = load_audio(turn.audio, max_seconds=MAX_TURN_SECONDS)
        codes = np.zeros(0, dtype=np.int64)
        if samples is not None:
            codes = self._listen(samples, turn.speaker)
        encoded = EncodedTurn(turn.speaker, np.asarray(phonemes.ids), codes, bert)
        finished = self._append(turn, encoded, samples)
        if self._context.layout.history_mode == "growing":
            self._context.warm()
        return finished

    def respond(
        self,
        text: str,
        *,
        language: str = "auto",
        reference_audio: str | None = None,
        options: GenerationOptions | None = None,
    ) -> Speech:
        """Speak the agent's next turn and keep it as history."""
        options = options or self._options
        phonemes, bert = self._talker.encode_text(text, language)
        reference, history = self._reference(reference_audio), self._past()
        columns = self._context.prefix(phonemes.ids, bert=bert)
        generation = self._context.generate(
            columns, self._sampling(options), self._talker.generator(options.seed)
        )
        codes = list(generation)
        self._context.keep(columns, generation)
        samples = render(
            self._talker.s2,
            codes,
            phonemes.ids,
            reference,
            options,
            self._talker.generator(options.seed),
            history=history,
        )
        self._reply(text, language, phonemes.ids, bert, codes, samples)
        finished = len(codes) < self._sampling(options).max_tokens
        return Speech(samples, tuple(codes), tuple(phonemes.phonemes), finished)

    def stream(
        self,
        text: str,
        *,
        language: str = "auto",
        reference_audio: str | None = None,
        options: GenerationOptions | None = None,
    ) -> Iterator[Speech]:
        """Speak in chunks while tokens still come; closing the iterator cancels the reply.

        A cancelled reply is kept as far as it was spoken.
        """
        options = options or self._options
        phonemes, bert = self._talker.encode_text(text, language)
        reference, history = self._reference(reference_audio), self._past()
        columns = self._context.prefix(phonemes.ids, bert=bert)
        generation = self._context.generate(
            columns, self._sampling(options), self._talker.generator(options.seed)
        )
        spoken: list[np.ndarray] = []
        n_codes = 0
        try:
            for codes, samples, last in render_stream(
                self._talker.s2,
                generation,
                phonemes.ids,
                reference,
                options,
                lambda: self._talker.generator(options.seed),
                history=history,
            ):
                spoken.append(samples)
                n_codes += len(codes)
                yield Speech(samples, tuple(codes), tuple(phonemes.phonemes), finished=last)
        finally:
            if n_codes:
                self._context.keep(columns, generation)
                codes = generation.tokens[:n_codes]
                self._reply(text, language, phonemes.ids, bert, codes, np.concatenate(spoken))

    def fork(self) -> DialogueSession:
        """An independent continuation from here; what is finished is shared, not copied."""
        other = object.__new__(DialogueSession)
        other._talker, other._options = self._talker, self._options
        other._context = self._context.fork()
        other._turns = list(self._turns)
        other._feature_state, other._unheard = self._feature_state, list(self._unheard)
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
    ) -> DialogueSession:
        """A session from finished turns: tokens as they were, speaker statistics replayed."""
        session = cls(talker, agent=agent, layout=layout, options=options)
        for one in turns:
            session._append(one.turn, one.encoded, one.samples)
            if one.samples is not None:
                session._unheard.append(HeardAudio(one.turn.speaker, one.samples))
        return session

    def _reference(self, given: str | None) -> Voice:
        """Whose voice the reply has."""
        heard = [
            HeardAudio(one.turn.speaker, one.samples)
            for one in self._turns
            if one.samples is not None
        ]
        samples = choose_reference(
            self.agent,
            given=None if given is None else read_reference(given),
            heard=heard,
            known=self._talker.speakers,
        )
        return self._talker.voice(samples)

    def _past(self) -> HistoryBatch | None:
        """The latest turns as stage 2 hears them; None for a model without enrichment."""
        config = self._talker.s2.config
        if not config.hears_history:
            return None
        speakers = [one.turn.speaker for one in self._turns]
        latest = self._turns[-config.history_turns :]
        role = roles(speakers, self.agent)[-config.history_turns :]
        past = [
            PastTurn(one.encoded.phonemes, one.samples, role[k], len(latest) - k)
            for k, one in enumerate(latest)
        ]
        history = collate_history([past])
        return (
            None if history is None else with_history_spectrograms(history.to(self._talker.device))
        )

    def _listen(self, samples: np.ndarray, speaker: str) -> np.ndarray:
        """(T,) tokens of a turn, after the statistics have caught up with our own replies."""
        for reply in self._unheard:
            _, self._feature_state = self._talker.encode_speech(
                reply.samples, reply.speaker, self._feature_state
            )
        self._unheard = []
        codes, self._feature_state = self._talker.encode_speech(
            samples, speaker, self._feature_state
        )
        return codes

    def _append(self, turn: Turn, encoded: EncodedTurn, samples: np.ndarray | None) -> FinishedTurn:
        finished = FinishedTurn(turn, self._context.add(encoded), samples)
        self._turns.append(finished)
        return finished

    def _sampling(self, options: GenerationOptions) -> SamplingOptions:
        return sampling(options, self._talker.s2.config.n_codes)

    def _reply(
        self,
        text: str,
        language: str,
        ids: Sequence[int],
        bert: np.ndarray | None,
        codes: Sequence[int],
        samples: np.ndarray,
    ) -> None:
        """Keep a spoken reply: its tokens are those it was spoken from, never encoded again."""
        encoded = EncodedTurn(self.agent, np.asarray(ids), np.asarray(codes, dtype=np.int64), bert)
        self._append(Turn(self.agent, text, language), encoded, samples)
        self._unheard.append(HeardAudio(self.agent, samples))


def sampling(options: GenerationOptions, n_codes: int) -> SamplingOptions:
    """Stage 1's share of the options, for a codebook of ``n_codes``."""
    return SamplingOptions(
        top_k=options.top_k,
        top_p=options.top_p,
        temperature=options.temperature,
        repetition_penalty=options.repetition_penalty,
        eos_guard=options.eos_guard,
        max_tokens=max(1, round(options.max_seconds * options.speed * TOKEN_RATE)),
        n_codes=n_codes,
    )
