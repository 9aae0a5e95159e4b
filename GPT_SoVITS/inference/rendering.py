"""Stage 2 at inference: semantic tokens and phonemes -> sound, whole or in chunks.

    tokens    0 1 2 3 4 5 6 7 8 9 …
    chunk 1   [first_chunk]+look        decoded from tokens 0..first+look, cut at first
    chunk 2               [chunk ]+look   decoded again from token 0, cut, faded over FADE samples

Each chunk is cut from a decode of all tokens so far, so it has its full left context and
``lookahead_tokens`` of right context. The prior attends over all tokens and its noise is drawn per
decode, so streamed audio resembles but does not equal the whole decode; cost grows with the square
of the reply's length. Frozen latents (one decode of each frame) replace this when streaming is
built out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.s2_vits.batch import HistoryBatch
from GPT_SoVITS.s2_vits.model import ConversationalVITS

FADE = 320
FRAMES_PER_TOKEN = 2


class RenderError(ValueError):
    """There is nothing to render, or what came out is not sound."""


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


@torch.inference_mode()
def render(
    s2: ConversationalVITS,
    codes: Sequence[int],
    phoneme_ids: Sequence[int],
    voice: Voice,
    options: GenerationOptions,
    generator: torch.Generator,
    *,
    history: HistoryBatch | None = None,
) -> np.ndarray:
    """Tokens (N,) -> samples (1280·N / speed,) float32."""
    if not len(codes):
        raise RenderError("the model ended before the first token; raise eos_guard")
    device = voice.spectrograms[0].device
    wave = s2.decode(
        torch.tensor([list(codes)], device=device),
        torch.tensor([list(phoneme_ids)], device=device),
        voice.spectrograms,
        noise_scale=options.noise_scale,
        speed=options.speed,
        speaker_vectors=voice.vectors,
        history=history,
        generator=generator,
    )
    samples = wave[0, 0].float().cpu().numpy()
    if not np.isfinite(samples).all():
        raise RenderError("the synthesiser produced values that are not finite")
    return np.clip(samples, -1.0, 1.0)


def render_stream(
    s2: ConversationalVITS,
    codes: Iterable[int],
    phoneme_ids: Sequence[int],
    voice: Voice,
    options: GenerationOptions,
    new_generator: Callable[[], torch.Generator],
    *,
    history: HistoryBatch | None = None,
) -> Iterator[tuple[list[int], np.ndarray, bool]]:
    """Tokens as they come -> (the chunk's tokens, its samples, whether it is the last)."""
    so_far: list[int] = []
    done, cut = 0, 0
    tail = np.zeros(0, dtype=np.float32)
    for code in codes:
        so_far.append(code)
        wanted = options.chunk_tokens if done else options.first_chunk_tokens
        if len(so_far) - done < wanted + max(1, options.lookahead_tokens):
            continue
        wave = render(s2, so_far, phoneme_ids, voice, options, new_generator(), history=history)
        end = min(token_start(done + wanted, options.speed), len(wave))
        yield so_far[done : done + wanted], faded(wave[cut:end], tail), False
        tail, cut, done = wave[end : end + FADE], end, done + wanted
    wave = render(s2, so_far, phoneme_ids, voice, options, new_generator(), history=history)
    yield so_far[done:], faded(wave[cut:], tail), True


def token_start(token: int, speed: float) -> int:
    """First sample of a token at a speed."""
    return int(token * FRAMES_PER_TOKEN / speed) * HOP_LENGTH


def faded(chunk: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """``chunk`` faded in over the tail of the decode before it; gains add up to one."""
    n = min(len(chunk), len(tail))
    if not n:
        return chunk
    up = ((np.arange(n) + 0.5) / n).astype(np.float32)
    mixed = chunk.copy()
    mixed[:n] = chunk[:n] * up + tail[:n] * (1 - up)
    return mixed
