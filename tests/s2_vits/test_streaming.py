"""Streaming stage 2: chunks are the whole, the receptive field is what gradients say it is."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.receptive_field import flow_field, generator_field, receptive_field
from GPT_SoVITS.s2_vits.streaming import ReplyRenderer, stretched

TINY = S2Config(
    ssl_dim=8,
    semantic_dim=8,
    n_codes=32,
    inter_channels=4,
    hidden_channels=8,
    filter_channels=8,
    n_layers=2,
    mrte_channels=8,
    gin_channels=8,
    posterior_layers=1,
    flow_layers=2,
    n_flows=2,
    upsample_initial_channel=32,
    reference_hidden=8,
)
OTHER = dataclasses.replace(
    TINY, upsample_kernel_sizes=(20, 16, 8, 2, 2), resblock_kernel_sizes=(3, 5), flow_layers=3
)
CODES = [int(c) for c in torch.randint(0, 32, (60,), generator=torch.Generator().manual_seed(1))]


def network(config: S2Config = TINY) -> ConversationalVITS:
    """Weights large enough that every path is heard."""
    torch.manual_seed(0)
    model = ConversationalVITS(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        model.quantizer.embed.normal_()
    return model


def reply(model: ConversationalVITS, *, speed: float = 1.0, scale: float = 0.5) -> ReplyRenderer:
    reference = torch.rand(1, 1025, 20, generator=torch.Generator().manual_seed(2))
    return model.start_reply(
        torch.tensor([[3, 1, 4, 1, 5]]),
        [reference],
        speed=speed,
        noise_scale=scale,
        generator=torch.Generator().manual_seed(3),
    )


def streamed(renderer: ReplyRenderer, ends: list[int], lookahead: int) -> list[Tensor]:
    """Chunks that end at these tokens, each rendered `lookahead` tokens later."""
    known, chunks = 0, []
    for end in ends:
        renderer.extend(CODES[known : end + lookahead])
        known = max(known, min(len(CODES), end + lookahead))
        chunks.append(renderer.render(end).samples)
    renderer.extend(CODES[known:])
    return [*chunks, renderer.render().samples]


@torch.no_grad()
def one_pass(renderer: ReplyRenderer, model: ConversationalVITS) -> Tensor:
    """Flow and generator once over all frozen latents."""
    latents, condition = renderer.latents.clone(), renderer.condition.clone()
    mask = torch.ones(1, 1, latents.shape[2])
    return model.generator(model.flow(latents, mask, condition, reverse=True), condition)[0, 0]


@pytest.mark.parametrize("config", [TINY, OTHER], ids=["tiny", "other"])
def test_the_receptive_field_is_what_gradients_say(config: S2Config) -> None:
    model = network(config)
    field, frames, at = receptive_field(config), 121, 60
    latents = torch.randn(1, 4, frames, requires_grad=True)
    condition, mask = torch.randn(1, 8, 1), torch.ones(1, 1, frames)
    wave = model.generator(model.flow(latents, mask, condition, reverse=True), condition)
    wave[..., at * HOP_LENGTH : (at + 1) * HOP_LENGTH].square().sum().backward()
    assert latents.grad is not None
    heard = latents.grad[0].abs().amax(dim=0).nonzero().flatten()
    assert (at - int(heard.min()), int(heard.max()) - at) == (field.left, field.right)


def test_the_published_fields() -> None:
    for version in ("v1", "v2", "v2Pro", "v2ProPlus"):
        config = S2Config.published(version)
        assert (flow_field(config).right, generator_field(config).right) == (32, 11)
        assert receptive_field(config).left == 43


@pytest.mark.parametrize("speed", [1.0, 1.3, 0.7])
@pytest.mark.parametrize("ends", [[5], [4, 11, 22], [1, 2, 3, 30]])
def test_with_full_context_chunks_equal_one_pass(ends: list[int], speed: float) -> None:
    model = network()
    renderer = reply(model, speed=speed)
    chunks = streamed(renderer, ends, renderer.context_tokens)
    sound, whole = torch.cat(chunks), one_pass(renderer, model)
    assert sound.shape == whole.shape
    assert float(whole.abs().max()) > 0.01
    torch.testing.assert_close(sound, whole, atol=1e-5, rtol=0)


def test_one_token_less_than_the_context_is_not_enough() -> None:
    model = network()
    renderer = reply(model)
    chunks = streamed(renderer, [20], 1)
    assert not torch.allclose(torch.cat(chunks), one_pass(renderer, model), atol=1e-5)


def test_the_tail_is_what_the_next_chunk_begins_with_at_full_context() -> None:
    renderer = reply(network())
    renderer.extend(CODES)
    tail = renderer.render(20).tail
    torch.testing.assert_close(tail, renderer.render().samples[: len(tail)], atol=1e-5, rtol=0)


def test_a_frozen_latent_never_changes() -> None:
    renderer = reply(network())
    renderer.extend(CODES[:20])
    renderer.render(10)
    early = renderer.latents.clone()
    renderer.extend(CODES[20:])
    renderer.render()
    assert 20 <= early.shape[2] < renderer.latents.shape[2]
    assert torch.equal(renderer.latents[..., : early.shape[2]], early)


@pytest.mark.parametrize("speed", [1.0, 1.25])
def test_known_tokens_only_matter_through_the_prior(speed: float) -> None:
    """All tokens known, any chunks: the same latents, noise included, and the same sound."""
    model = network()
    sounds = []
    for ends in ([], [7, 19, 40]):
        renderer = reply(model, speed=speed)
        renderer.extend(CODES)
        chunks = [renderer.render(end).samples for end in ends]
        sounds.append(torch.cat([*chunks, renderer.render().samples]))
    torch.testing.assert_close(sounds[0], sounds[1], atol=1e-5, rtol=0)


def test_at_speed_one_a_whole_reply_is_the_published_decode() -> None:
    model = network()
    renderer = reply(model)
    renderer.extend(CODES)
    sound = renderer.render().samples
    reference = torch.rand(1, 1025, 20, generator=torch.Generator().manual_seed(2))
    tape = torch.Generator().manual_seed(3)
    noise = torch.cat([torch.randn(1, 4, 50, generator=tape) for _ in range(3)], dim=2)[..., :120]
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    wave = model.decode(torch.tensor([CODES]), ids, [reference], noise=noise)
    torch.testing.assert_close(sound, wave[0, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.1, 2.0])
def test_the_length_at_a_speed(speed: float) -> None:
    renderer = reply(network(), speed=speed)
    sound = torch.cat(streamed(renderer, [6, 20], 10))
    assert len(sound) == (int(120 / speed) + 1) * HOP_LENGTH


def test_stretching_reads_between_frames() -> None:
    ramp = torch.arange(10.0)[None, None]
    assert stretched(ramp, 2.0, 0, 3)[0, 0].tolist() == [0.5, 2.5, 4.5]
    assert stretched(ramp, 0.5, 1, 4)[0, 0].tolist() == [0.25, 0.75, 1.25]
