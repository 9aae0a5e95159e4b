"""One reply being spoken: its script, line by line, through both stages.

    line 1 ──► s1 ──► tokens ──► s2 ──► sound        a line already spoken is history of the next,
    line 2 ──► s1 ──► tokens ──► s2 ──► sound        as a turn of the same speaker
    …                                                 afterwards all lines are one finished turn

Nothing here changes the session: it asks for what was spoken and keeps that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn
from GPT_SoVITS.inference.batching import SharedGeneration
from GPT_SoVITS.inference.cancel import Cancel, ReplyCancelled, checked
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import Renderer, Voice, render, render_stream, start_reply
from GPT_SoVITS.inference.script import Silence
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.s1_gpt.generate import Generation
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.text import PhonemeSequence

if TYPE_CHECKING:
    from GPT_SoVITS.inference.talker import Talker


@dataclass(frozen=True)
class PreparedLine:
    """A line with everything the networks need but its tokens."""

    phonemes: PhonemeSequence
    bert: np.ndarray | None
    voice: Voice
    options: GenerationOptions


class Reply:
    """Speak prepared lines once, with ``chunks`` or ``whole``."""

    def __init__(
        self,
        talker: Talker,
        context: DialogueContext,
        script: Sequence[PreparedLine | Silence],
        *,
        history: HistoryBatch | None,
        cancel: Cancel | None = None,
    ) -> None:
        self._talker, self._script = talker, list(script)
        self._history, self._cancel = history, cancel
        lines = [part for part in self._script if isinstance(part, PreparedLine)]
        self._alone = len(lines) == 1
        self._context = context if self._alone else context.fork()
        first = lines[0].options
        self._tokens_left = max(1, round(first.max_seconds * first.speed * TOKEN_RATE))
        self.cut = False
        """The reply came to ``max_seconds`` before its end."""
        self.spoken: list[EncodedTurn] = []
        """The lines spoken so far, with their tokens."""
        self.samples: list[np.ndarray] = []
        """The sound so far, silences included."""
        self._columns: Columns | None = None
        self._generation: Generation | SharedGeneration | None = None

    def whole(self) -> Speech:
        """The reply as one sound; stage 2 hears all tokens of a line before it renders."""
        phonemes: list[str] = []
        for part in self._parts():
            if isinstance(part, Silence):
                self.samples.append(_silence(part))
                continue
            tokens = list(checked(self._decode(part), self._cancel))
            self._stop_if_cancelled()
            self.samples.append(render(self._renderer(part), tokens))
            self._keep(part, tokens)
            phonemes += part.phonemes.phonemes
        codes = tuple(int(code) for line in self.spoken for code in line.codes)
        return Speech(np.concatenate(self.samples), codes, tuple(phonemes), cut=self.cut)

    def chunks(self) -> Iterator[Speech]:
        """The reply in pieces while its tokens still come."""
        for part in self._parts():
            if isinstance(part, Silence):
                self.samples.append(_silence(part))
                yield Speech(self.samples[-1], finished=part is self._script[-1])
                continue
            yield from self._line_chunks(part)

    def _line_chunks(self, line: PreparedLine) -> Iterator[Speech]:
        names, given = tuple(line.phonemes.phonemes), 0
        tokens = checked(self._decode(line), self._cancel)
        try:
            for codes, samples, last in render_stream(self._renderer(line), tokens, line.options):
                self._stop_if_cancelled()
                self.samples.append(samples)
                given += len(codes)
                over = given >= self._tokens_left
                finished = last and (over or line is self._script[-1])
                yield Speech(samples, tuple(codes), names, finished, cut=last and over)
        finally:
            if self._generation is not None:
                self._generation.close()
                if given:
                    self._keep(line, self._generation.tokens[:given])

    def _parts(self) -> Iterator[PreparedLine | Silence]:
        """The script, until ``max_seconds`` are spoken."""
        for part in self._script:
            if self.cut:
                return
            yield part

    def _decode(self, line: PreparedLine) -> Iterator[int]:
        """Tokens of a line."""
        self._columns = self._context.prefix(line.phonemes.ids, bert=line.bert)
        seed = line.options.seed + len(self.spoken)
        self._generation = self._context.generate(
            self._columns,
            sampling(line.options, self._tokens_left, self._talker.s2.config.n_codes),
            self._talker.generator(seed),
            cancel=self._cancel,
        )
        return self._generation

    def _renderer(self, line: PreparedLine) -> Renderer:
        return start_reply(
            self._talker.s2,
            line.phonemes.ids,
            line.voice,
            line.options,
            self._talker.generator(line.options.seed + len(self.spoken)),
            history=self._history,
        )

    def _keep(self, line: PreparedLine, codes: Sequence[int]) -> None:
        """A line was spoken: what comes next hears it."""
        assert self._columns is not None and self._generation is not None
        self.cut = len(codes) >= self._tokens_left
        self._tokens_left -= len(codes)
        self._context.keep(self._columns, self._generation)
        turn = EncodedTurn(
            self._context.agent, np.asarray(line.phonemes.ids), np.asarray(codes), line.bert
        )
        self.spoken.append(turn if self._alone else self._context.add(turn))

    def _stop_if_cancelled(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise ReplyCancelled("the reply was cancelled")


def sampling(options: GenerationOptions, max_tokens: int, n_codes: int) -> SamplingOptions:
    """Stage 1's share of the options, for a codebook of ``n_codes``."""
    return SamplingOptions(
        top_k=options.top_k,
        top_p=options.top_p,
        temperature=options.temperature,
        repetition_penalty=options.repetition_penalty,
        eos_guard=options.eos_guard,
        max_tokens=max_tokens,
        n_codes=n_codes,
    )


def joined(lines: Sequence[EncodedTurn]) -> EncodedTurn:
    """Several spoken lines as the one turn they are."""
    if len(lines) == 1:
        return lines[0]
    berts = [line.bert for line in lines if line.bert is not None]
    return EncodedTurn(
        lines[0].speaker,
        np.concatenate([line.phonemes for line in lines]),
        np.concatenate([line.codes for line in lines]),
        np.concatenate(berts) if len(berts) == len(lines) else None,
    )


def _silence(pause: Silence) -> np.ndarray:
    return np.zeros(round(pause.seconds * SAMPLE_RATE), dtype=np.float32)
