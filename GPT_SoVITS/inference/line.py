"""Tokens of one line: watched while they come, the best of several, silences shortened.

options.candidates   1: one generation that can go back (:mod:`GPT_SoVITS.inference.steady`)
                     n: the best of n (:mod:`GPT_SoVITS.inference.nbest`)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch

from GPT_SoVITS.audio.constants import TOKEN_RATE
from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.inference.cancel import Cancel
from GPT_SoVITS.inference.collapse import shrink_silence
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.hearing import Hearing
from GPT_SoVITS.inference.nbest import BestOf
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.speech import LineReport
from GPT_SoVITS.inference.steady import Decoded, Drawn, SteadyGeneration, livelier
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

ATTEMPT_SEEDS = 1_000_003
"""Random numbers of every further attempt lie so far from those of the first."""
SILENCE_SHARE = 3
"""Silences are shortened where a line has so many times the longest one in all."""


def decode_line(
    context: DialogueContext,
    columns: Columns,
    options: GenerationOptions,
    limits: SamplingOptions,
    *,
    seed: int,
    seeded: Callable[[int], torch.Generator],
    phonemes: int,
    silent: Collection[int] = (),
    final: bool = False,
    cancel: Cancel | None = None,
) -> Decoded:
    """Columns up to the line's text -> its tokens, still to be iterated.

    ``seed`` is the first attempt's, ``seeded`` makes random numbers of it; ``final``: what was
    handed out cannot be taken back (a stream).
    """

    def generator(attempt: int) -> torch.Generator:
        return seeded((seed + attempt * ATTEMPT_SEEDS) % 2**63)

    if options.candidates > 1:
        return BestOf(
            context,
            columns,
            limits,
            generator,
            candidates=options.candidates,
            phonemes=phonemes,
            length_power=options.length_power,
            retries=options.collapse_retries,
            silent=silent,
            cancel=cancel,
        )

    def draw(said: Sequence[int], retry: int) -> Drawn:
        chosen = livelier(limits, retry)
        return context.generate(columns, chosen, generator(retry), said=said, cancel=cancel)

    return SteadyGeneration(
        draw, retries=options.collapse_retries, silent=silent, final=final, cancel=cancel
    )


def shortened(
    tokens: Sequence[int], silent: Collection[int], options: GenerationOptions
) -> list[int]:
    """Tokens (N,) with their long silences cut as the options ask."""
    longest = round(options.longest_silence * TOKEN_RATE)
    if not longest:
        return list(tokens)
    return shrink_silence(tokens, silent, longest=longest, beyond=SILENCE_SHARE * longest)


def report_of(
    decoded: Decoded,
    *,
    options: GenerationOptions,
    heard: Sequence[Hearing] = (),
    chosen: int = 0,
    cut: int = 0,
) -> LineReport:
    """What is known of a line once its tokens are decided; ``cut``: silent tokens left out."""
    scores: tuple[float, ...] = ()
    if isinstance(decoded, BestOf):
        scores = tuple(one.score(options.length_power) for one in decoded.candidates)
    return LineReport(tuple(decoded.collapses), decoded.gave_up, scores, tuple(heard), chosen, cut)
