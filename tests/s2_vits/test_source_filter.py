"""The source-filter vocoder: its pitch, its reach, its stream, and that it learns."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.audio.pitch import track_pitch
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.source_filter import EVERYTHING, HIGHEST, SourceFilter, harmonics
from tests.s2_vits.test_generators import SMALL

CONFIG = S2Config(
    generator="source_filter", source_filter_width=16, source_filter_layers=2, **SMALL
)


@pytest.fixture
def vocoder() -> SourceFilter:
    torch.manual_seed(0)
    return SourceFilter(CONFIG).eval()


def test_the_source_is_the_sum_of_its_harmonics() -> None:
    f0 = torch.full((1, 40), 170.0)
    turns = 170.0 / SAMPLE_RATE * torch.arange(1, 6401, dtype=torch.float64)
    count = int(HIGHEST / 170)
    wanted = sum((2 * math.pi * k * turns).cos() for k in range(1, count + 1))
    assert isinstance(wanted, torch.Tensor)
    expected = (wanted * math.sqrt(2 / count)).float()
    torch.testing.assert_close(harmonics(f0)[0], expected, atol=2e-3, rtol=0)
    assert float(expected.square().mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("hz", [70.0, 200.0, 450.0])
def test_a_source_has_the_pitch_asked_for(hz: float) -> None:
    wave = harmonics(torch.full((1, 200), hz))[0].numpy()
    f0, _ = track_pitch(wave, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    assert np.median(f0) == pytest.approx(hz, rel=0.01)


def test_a_gliding_source_never_jumps_in_phase() -> None:
    wave = harmonics(torch.linspace(100, 120, 200)[None])[0].double()
    pulses = torch.nonzero((wave[1:-1] > wave[:-2]) & (wave[1:-1] > wave[2:]) & (wave[1:-1] > 10))
    gaps = pulses[1:, 0] - pulses[:-1, 0]
    assert int(gaps.max()) <= SAMPLE_RATE / 99 and int(gaps.min()) >= SAMPLE_RATE / 121


def test_the_right_field_is_what_gradients_say_and_the_left_is_everything(
    vocoder: SourceFilter,
) -> None:
    z, condition = torch.randn(1, 8, 60, requires_grad=True), torch.randn(1, 16, 1)
    torch.nn.init.normal_(vocoder.filters.weight)
    wave = vocoder(z, condition)
    assert wave.shape == (1, 1, 60 * HOP_LENGTH)
    wave[..., 30 * HOP_LENGTH : 31 * HOP_LENGTH].square().sum().backward()
    assert z.grad is not None
    heard = z.grad[0].abs().amax(0).nonzero().flatten()
    assert int(heard.max()) - 30 == vocoder.field.right
    assert int(heard.min()) == 0 and vocoder.field.left == EVERYTHING


def test_a_stream_is_the_whole_reply() -> None:
    """Not to the last bit: F0 differs by rounding, and its sum is the phase."""
    torch.manual_seed(0)
    model = ConversationalVITS(CONFIG).eval()
    ids, references, codes = torch.arange(6)[None], [torch.rand(1, 1025, 30)], list(range(40))
    sounds = []
    for ends in ([], [12, 25]):
        reply = model.start_reply(ids, references, generator=torch.Generator().manual_seed(1))
        reply.extend(codes)
        chunks = [reply.render(end).samples for end in ends]
        sounds.append(torch.cat([*chunks, reply.render().samples]))
    assert float(sounds[0].std()) > 0.005
    error = float((sounds[0] - sounds[1]).std() / sounds[0].std())
    assert error < 1e-3, "at most -60 dB"


@pytest.mark.parametrize(
    "cast",
    [lambda it: it.to(torch.float32), lambda it: it.double().float()],
    ids=["to float32", "double and back"],
)
def test_a_change_of_type_and_back_leaves_the_sound_as_it_was(
    vocoder: SourceFilter, cast: Callable[[SourceFilter], SourceFilter]
) -> None:
    z, condition = torch.randn(1, 8, 20), torch.randn(1, 16, 1)
    with torch.no_grad():
        before, after = vocoder(z, condition), cast(vocoder)(z, condition)
    assert torch.equal(before, after) and float(before.std()) > 0


def test_a_step_in_silence_has_finite_gradients(vocoder: SourceFilter) -> None:
    z, condition = torch.randn(2, 8, 20), torch.randn(2, 16, 1)
    real = torch.zeros(2, 1, 20 * HOP_LENGTH)
    real[1] = 0.1 * harmonics(torch.full((1, 80), 150.0))
    wave, loss = vocoder.train().taught(z, condition, real)
    (loss + wave.square().mean()).backward()
    gradients = [p.grad for p in vocoder.parameters()]
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)


def test_it_learns_the_pitch_its_latents_tell(vocoder: SourceFilter) -> None:
    """Two tones, told apart by the latents alone; asked without the recording afterwards."""
    tones = torch.tensor([110.0, 220.0])
    real = 0.05 * harmonics(tones[:, None].expand(2, 80))[:, None]
    z = torch.tensor([-1.0, 1.0])[:, None, None].expand(2, 8, 20)
    condition = torch.zeros(2, 16, 1)
    optimizer = torch.optim.Adam(vocoder.parameters(), 1e-2)
    torch.manual_seed(1)
    losses = []
    for _ in range(60):
        _, loss = vocoder.taught(z, condition, real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        said = vocoder(z, condition)[:, 0].numpy()
    for row, hz in zip(said, tones.tolist()):
        f0, _ = track_pitch(row, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
        assert np.median(f0[f0 > 0]) == pytest.approx(hz, rel=0.1)
