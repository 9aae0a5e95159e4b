"""Stage 2 at inference: semantic tokens and phonemes -> sound, whole or in chunks.

    tokens    0 1 2 3 4 5 6 7 8 9 …
    chunk 1   [first_chunk][look-ahead]        rendered once these tokens are known
    chunk 2                [ 1.5 x as many ][look-ahead]

Every frame's latent is computed once and frozen (:mod:`GPT_SoVITS.s2_vits.streaming`); the noise of
a frame is the same in a stream and in a whole reply. What a stream cannot know is the effect of
tokens behind the look-ahead on the prior; docs/performance.md has the measured curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.streaming import Chunk, Vocoder

GROWTH = 1.5
"""Each chunk has this many times the tokens of the one before, up to `chunk_tokens`."""


class RenderError(ValueError):
    """There is nothing to render, or what came out is not sound."""


class Renderer(Protocol):
    """One reply in stage 2: :class:`GPT_SoVITS.s2_vits.streaming.ReplyRenderer`."""

    def extend(self, codes: Sequence[int]) -> None:
        """More tokens have come."""

    def render(self, until: int | None = None) -> Chunk:
        """Sound up to token `until`, or to the end."""


@dataclass(frozen=True)
class Voice:
    """Whose voice a reply has: spectrograms (1, 1025, F) each; vectors (1, 20480) for Pro."""

    spectrograms: list[Tensor]
    vectors: list[Tensor] | None = None


def voice_of(
    references: Sequence[np.ndarray],
    device: torch.device,
    speaker: SpeakerFeatures | None = None,
) -> Voice:
    """References (T,) each -> what stage 2 conditions on; louder than 1 is scaled as published."""
    waves = [r / max(1.0, min(2.0, float(np.abs(r).max(initial=0.0)))) for r in references]
    spectrograms = [linear_spectrogram(torch.from_numpy(w)[None].to(device)) for w in waves]
    if speaker is None:
        return Voice(spectrograms)
    return Voice(spectrograms, [torch.from_numpy(speaker(w))[None].to(device) for w in waves])


def start_reply(
    s2: ConversationalVITS,
    phoneme_ids: Sequence[int],
    voice: Voice,
    options: GenerationOptions,
    generator: torch.Generator,
    *,
    history: HistoryBatch | None = None,
    vocoder: Vocoder | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> Renderer:
    """Phoneme ids (X,) of the reply -> its renderer; no token is needed yet.

    `vocoder` in place of the network's own generator (:mod:`GPT_SoVITS.inference.vocoders`);
    `turn` is held while it computes.
    """
    turn = turn or nullcontext()
    with turn:
        made = s2.start_reply(
            torch.tensor([list(phoneme_ids)], device=voice.spectrograms[0].device),
            voice.spectrograms,
            speaker_vectors=voice.vectors,
            history=history,
            noise_scale=options.noise_scale,
            speed=options.speed,
            generator=generator,
            vocoder=vocoder,
        )
    return _InTurn(made, turn)


@dataclass(frozen=True)
class _InTurn:
    """A renderer that waits for its turn before it computes."""

    renderer: Renderer
    turn: AbstractContextManager[object]

    def extend(self, codes: Sequence[int]) -> None:
        self.renderer.extend(codes)

    def render(self, until: int | None = None) -> Chunk:
        with self.turn:
            return self.renderer.render(until)


def render(renderer: Renderer, codes: Sequence[int]) -> np.ndarray:
    """All tokens (N,) at once -> samples (1280·N / speed,) float32. Raises `RenderError`."""
    if not len(codes):
        raise RenderError("the model ended before the first token; raise eos_guard")
    renderer.extend(codes)
    return _checked(renderer.render().samples)


def render_stream(
    renderer: Renderer, codes: Iterable[int], options: GenerationOptions
) -> Iterator[tuple[list[int], np.ndarray, bool]]:
    """Tokens as they come -> (the chunk's tokens, its samples, whether it is the last).

    Raises `RenderError`.
    """
    so_far: list[int] = []
    done, wanted = 0, options.first_chunk_tokens
    tail = np.zeros(0, dtype=np.float32)
    for code in codes:
        so_far.append(code)
        renderer.extend([code])
        if len(so_far) - done < wanted + max(1, options.lookahead_tokens):
            continue
        chunk = renderer.render(done + wanted)
        yield so_far[done : done + wanted], faded(_checked(chunk.samples), tail), False
        tail, done = _checked(chunk.tail), done + wanted
        wanted = max(wanted, min(options.chunk_tokens, int(wanted * GROWTH) + 1))
    if not so_far:
        raise RenderError("the model ended before the first token; raise eos_guard")
    yield so_far[done:], faded(_checked(renderer.render().samples), tail), True


def faded(chunk: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """``chunk`` (T,) faded in over what the one before would have gone on with; gains add to 1."""
    n = min(len(chunk), len(tail))
    if not n:
        return chunk
    up = ((np.arange(n) + 0.5) / n).astype(np.float32)
    mixed = chunk.copy()
    mixed[:n] = chunk[:n] * up + tail[:n] * (1 - up)
    return mixed


def _checked(wave: Tensor) -> np.ndarray:
    samples = wave.float().cpu().numpy()
    if not np.isfinite(samples).all():
        raise RenderError("the synthesiser produced values that are not finite")
    values: np.ndarray = np.clip(samples, -1.0, 1.0)
    return values
