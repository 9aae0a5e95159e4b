"""Chunks of a stream: how many tokens each has, and that nothing is heard where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from GPT_SoVITS.audio.constants import SAMPLES_PER_TOKEN
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import RenderError, faded, render_stream
from GPT_SoVITS.s2_vits.streaming import FADE_SAMPLES, Chunk

OPTIONS = GenerationOptions()
WAVE = 0.5 * torch.sin(torch.arange(400 * SAMPLES_PER_TOKEN) * 0.037)


class Sine:
    """A reply that is a pure tone, `bend` louder with every chunk; it knows `beyond` samples."""

    def __init__(self, beyond: int = FADE_SAMPLES, bend: float = 0.0) -> None:
        self.known, self.done, self.chunks = 0, 0, 0
        self.beyond, self.bend = beyond, bend
        self.ends: list[tuple[int, int]] = []

    def extend(self, codes: Sequence[int]) -> None:
        self.known += len(codes)

    def render(self, until: int | None = None) -> Chunk:
        end = self.known if until is None else until
        self.ends.append((end, self.known))
        start, self.done = self.done * SAMPLES_PER_TOKEN, end
        self.chunks += 1
        wave = WAVE * (1 + self.bend * self.chunks)
        stop = end * SAMPLES_PER_TOKEN
        return Chunk(wave[start:stop], wave[stop : stop + self.beyond])


def streamed(
    renderer: Sine, tokens: int, options: GenerationOptions = OPTIONS
) -> list[tuple[list[int], np.ndarray, bool]]:
    return list(render_stream(renderer, iter(range(tokens)), options))


@pytest.mark.parametrize("tokens", [1, 12, 15, 16, 17, 60, 200])
def test_the_first_chunk_is_small_and_the_others_grow(tokens: int) -> None:
    pieces = streamed(Sine(), tokens)
    sizes = [len(codes) for codes, _, _ in pieces]
    assert [code for codes, _, _ in pieces for code in codes] == list(range(tokens))
    assert [last for _, _, last in pieces] == [False] * (len(pieces) - 1) + [True]
    if tokens >= OPTIONS.first_chunk_tokens + OPTIONS.lookahead_tokens:
        assert sizes[0] == OPTIONS.first_chunk_tokens
    grown = sizes[:-1]
    assert all(a < b or b == OPTIONS.chunk_tokens for a, b in zip(grown, grown[1:]))
    assert max(sizes) <= OPTIONS.chunk_tokens + OPTIONS.lookahead_tokens


@pytest.mark.parametrize("lookahead", [1, 4, 20])
def test_a_chunk_waits_for_its_look_ahead_and_no_longer(lookahead: int) -> None:
    renderer = Sine()
    streamed(renderer, 150, replace(OPTIONS, lookahead_tokens=lookahead))
    assert {known - end for end, known in renderer.ends[:-1]} == {lookahead}


def test_a_steady_tone_goes_through_every_seam_unchanged() -> None:
    sound = np.concatenate([samples for _, samples, _ in streamed(Sine(), 300)])
    np.testing.assert_allclose(sound, WAVE[: len(sound)].numpy(), atol=1e-6)


def test_where_chunks_differ_there_is_no_jump() -> None:
    """Every chunk 10 % louder: the seam is as smooth as the tone itself."""
    sound = np.concatenate([samples for _, samples, _ in streamed(Sine(bend=0.1), 300)])
    steepest = np.abs(np.diff(sound)).max()
    hard = np.concatenate([s for _, s, _ in streamed(Sine(beyond=0, bend=0.1), 300)])
    tone = 0.5 * 0.037 * (1 + 0.1 * 9)
    assert steepest < 1.05 * tone < np.abs(np.diff(hard)).max()


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**31))
def test_a_fade_is_never_louder_than_what_it_mixes(chunk: int, tail: int, seed: int) -> None:
    """Gains that add to one; the published ones reach 1.41."""
    rng = np.random.default_rng(seed)
    new, old = (rng.uniform(-1, 1, n).astype(np.float32) for n in (chunk, tail))
    mixed, n = faded(new, old), min(chunk, tail)
    assert (np.abs(mixed[:n]) <= np.maximum(np.abs(new[:n]), np.abs(old[:n])) + 1e-6).all()
    assert np.array_equal(mixed[n:], new[n:])
    assert abs(mixed[0] - old[0]) <= abs(new[0] - old[0]) / (2 * n) + 1e-6
    np.testing.assert_allclose(faded(new[:n], new[:n]), new[:n], atol=1e-6)


def test_no_token_at_all_is_an_error() -> None:
    with pytest.raises(RenderError, match="eos_guard"):
        streamed(Sine(), 0)
