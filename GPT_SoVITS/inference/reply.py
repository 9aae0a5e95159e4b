"""One reply being spoken: its script, line by line, through both stages.

    line 1 ──► s1 ──► tokens ──► s2 ──► sound        a line already spoken is history of the next,
    line 2 ──► s1 ──► tokens ──► s2 ──► sound        as a turn of the same speaker
    …                                                 afterwards all lines are one finished turn

Nothing here changes the session: it asks for what was spoken and keeps that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn
from GPT_SoVITS.inference.cancel import Cancel, stop_if
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.hearing import Hearing, Recogniser, listen
from GPT_SoVITS.inference.line import decode_line, report_of, shortened
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import Renderer, Voice, render, render_stream, start_reply
from GPT_SoVITS.inference.script import Silence
from GPT_SoVITS.inference.speech import LineReport, Speech, SpokenLine
from GPT_SoVITS.inference.steady import Decoded
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.text import PhonemeSequence

if TYPE_CHECKING:
    from GPT_SoVITS.inference.talker import Talker


CHECK_SEEDS = 15_485_863
"""Random numbers of a line said again lie so far from those of the first time."""


@dataclass(frozen=True)
class PreparedLine:
    """A line with everything the networks need but its tokens."""

    phonemes: PhonemeSequence
    bert: np.ndarray | None
    voice: Voice
    options: GenerationOptions
    text: str = ""
    """As written: what a recogniser should hear."""


@dataclass(frozen=True)
class SaidLine:
    """A line's tokens and sound: one attempt."""

    decoded: Decoded
    codes: list[int]
    """As spoken: those decoded, long silences shortened."""
    samples: np.ndarray
    hearing: Hearing | None = None


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
        recogniser: Recogniser | None = None,
        texts: Collection[str] = (),
    ) -> None:
        self._talker, self._script = talker, list(script)
        self._history, self._cancel = history, cancel
        self._recogniser, self._texts = recogniser, texts
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
        self._reports: list[LineReport] = []

    def whole(self) -> Speech:
        """The reply as one sound; stage 2 hears all tokens of a line before it renders."""
        phonemes: list[str] = []
        lines: list[SpokenLine] = []
        for part in self._parts():
            start = sum(map(len, self.samples))
            if isinstance(part, Silence):
                self.samples.append(_silence(part))
                continue
            said = self._said(part)
            self.samples.append(said.samples)
            lines.append(SpokenLine(part.phonemes, start, start + len(said.samples)))
            self._keep(part, said.codes, said.decoded)
            phonemes += part.phonemes.phonemes
        codes = tuple(int(code) for line in self.spoken for code in line.codes)
        return Speech(
            np.concatenate(self.samples),
            codes,
            tuple(phonemes),
            cut=self.cut,
            reports=tuple(self._reports),
            lines=tuple(lines),
        )

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
        start = sum(map(len, self.samples))
        decoded = self._decode(line, final=True)
        try:
            for codes, samples, last in render_stream(self._renderer(line), decoded, line.options):
                stop_if(self._cancel)
                self.samples.append(samples)
                given += len(codes)
                over = given >= self._tokens_left
                finished = last and (over or line is self._script[-1])
                speech = Speech(samples, tuple(codes), names, finished, cut=last and over)
                if last:
                    report = report_of(decoded, options=line.options)
                    spoken = SpokenLine(line.phonemes, start, sum(map(len, self.samples)))
                    speech = replace(speech, reports=(report,), lines=(spoken,))
                yield speech
        finally:
            decoded.close()
            if given:
                self._keep(line, decoded.tokens[:given], decoded)

    def _parts(self) -> Iterator[PreparedLine | Silence]:
        """The script, until ``max_seconds`` are spoken."""
        for part in self._script:
            if self.cut:
                return
            yield part

    def _said(self, line: PreparedLine) -> SaidLine:
        """A line, said again until it is understood where there is somebody to hear it."""
        attempts: list[SaidLine] = []
        options, silent = line.options, self._talker.silent_codes
        for attempt in range(1 if self._recogniser is None else options.check_attempts):
            decoded = self._decode(line, attempt)
            for _ in decoded:  # only the tokens at the end count: a reply may go back
                pass
            codes = shortened(decoded.tokens, silent, options)
            stop_if(self._cancel)
            samples = render(self._renderer(line, attempt), codes)
            attempts.append(SaidLine(decoded, codes, samples, self._heard(line, samples)))
            heard = attempts[-1].hearing
            if heard is None or heard.rate <= options.check_tolerance:
                break
        rates = [0.0 if one.hearing is None else one.hearing.rate for one in attempts]
        chosen = rates.index(min(rates))
        said = attempts[chosen]
        hearings = [one.hearing for one in attempts if one.hearing is not None]
        left_out = len(said.decoded.tokens) - len(said.codes)
        self._reports.append(
            report_of(said.decoded, options=options, heard=hearings, chosen=chosen, cut=left_out)
        )
        return said

    def _heard(self, line: PreparedLine, samples: np.ndarray) -> Hearing | None:
        if self._recogniser is None:
            return None
        return listen(
            self._recogniser, samples, line.text, sample_rate=SAMPLE_RATE, history=self._texts
        )

    def _seed(self, line: PreparedLine, attempt: int) -> int:
        return (line.options.seed + len(self.spoken) + attempt * CHECK_SEEDS) % 2**63

    def _decode(self, line: PreparedLine, attempt: int = 0, *, final: bool = False) -> Decoded:
        """Tokens of a line, still to be iterated."""
        self._columns = self._context.prefix(line.phonemes.ids, bert=line.bert)
        return decode_line(
            self._context,
            self._columns,
            line.options,
            sampling(line.options, self._tokens_left, self._talker.s2.config.n_codes),
            seed=self._seed(line, attempt),
            seeded=self._talker.generator,
            phonemes=len(line.phonemes.ids),
            silent=self._talker.silent_codes,
            final=final,
            cancel=self._cancel,
        )

    def _renderer(self, line: PreparedLine, attempt: int = 0) -> Renderer:
        decoding = self._context.decoding
        return start_reply(
            self._talker.s2,
            line.phonemes.ids,
            line.voice,
            line.options,
            self._talker.generator(self._seed(line, attempt)),
            history=self._history,
            vocoder=self._talker.vocoder(line.options.precision),
            turn=None if decoding is None else decoding.rendering,
        )

    def _keep(self, line: PreparedLine, codes: Sequence[int], decoded: Decoded) -> None:
        """A line was spoken: what comes next hears it."""
        assert self._columns is not None
        self.cut = len(codes) >= self._tokens_left
        self._tokens_left -= len(codes)
        if decoded.cache is not None:  # a reply that left a shared batch early has none
            self._context.keep_cache(self._columns, decoded.tokens, decoded.cache)
        turn = EncodedTurn(
            self._context.agent, np.asarray(line.phonemes.ids), np.asarray(codes), line.bert
        )
        self.spoken.append(turn if self._alone else self._context.add(turn))


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
