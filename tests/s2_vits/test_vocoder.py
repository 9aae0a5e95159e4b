"""The generator as speaking runs it is the generator."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generator import Generator
from GPT_SoVITS.s2_vits.vocoder import Vocoder, by_phase

TINY = S2Config(inter_channels=4, gin_channels=8, upsample_initial_channel=64)
PLUS = dataclasses.replace(TINY, upsample_kernel_sizes=(20, 16, 8, 2, 2))


def generator(config: S2Config = TINY) -> Generator:
    """Loud enough that every path is heard."""
    torch.manual_seed(0)
    made = Generator(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
        z = torch.randn(1, config.inter_channels, 9)
        loudest = made(z, torch.randn(1, config.gin_channels, 1)).abs().max()
        made.conv_post.weight.mul_(0.3 / loudest)
    return made


def given(frames: int = 9, rows: int = 1) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(rows, 4, frames), torch.randn(rows, 8, 1)


@pytest.mark.parametrize("rate, kernel", [(10, 16), (10, 20), (8, 16), (2, 8), (2, 2), (3, 5)])
def test_a_transposed_convolution_is_a_plain_one_sorted_by_phase(rate: int, kernel: int) -> None:
    torch.manual_seed(0)
    up = nn.ConvTranspose1d(3, 5, kernel, rate, padding=(kernel - rate) // 2, bias=False)
    weight, side = by_phase(up.weight.detach(), rate)
    x = torch.randn(2, 3, 7)
    plain = nn.functional.conv1d(x, weight, padding=side)  # (2, rate 5, 7)
    plain = plain.unflatten(1, (rate, 5)).permute(0, 2, 3, 1).flatten(2)
    torch.testing.assert_close(plain, up(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("config", [TINY, PLUS], ids=["v2", "v2ProPlus"])
@pytest.mark.parametrize("frames, rows", [(1, 1), (9, 1), (5, 3)])
def test_at_fp32_it_is_the_generator(config: S2Config, frames: int, rows: int) -> None:
    made = generator(config)
    z, condition = given(frames, rows)
    with torch.no_grad():
        expected = made(z, condition)
    assert expected.abs().max() > 0.05
    torch.testing.assert_close(Vocoder(made)(z, condition), expected, atol=1e-5, rtol=0)


def test_the_generator_is_as_it_was() -> None:
    made = generator()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    Vocoder(made, half=True)(*given())
    after = made.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_half_precision_stays_near() -> None:
    made = generator()
    z, condition = given(20)
    exact, near = Vocoder(made)(z, condition), Vocoder(made, half=True)(z, condition)
    assert near.dtype == torch.float32
    noise = (near - exact).square().mean() / exact.square().mean()
    assert 0 < float(noise) < 1e-2  # 20 dB: coarse on purpose, docs/performance.md has a voice's


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: fp16 vocoder")
@pytest.mark.parametrize("half", [False, True])
def test_on_cuda_it_is_the_generator(half: bool) -> None:
    made = generator()
    z, condition = given(20)
    with torch.no_grad():
        expected = made(z, condition)
    found = Vocoder(made.cuda(), half=half)(z.cuda(), condition.cuda()).cpu()
    torch.testing.assert_close(found, expected, atol=2e-2 if half else 1e-4, rtol=0)


def test_half_precision_on_an_unknown_device_is_refused() -> None:
    with pytest.raises(ValueError, match="no half precision"):
        Vocoder(generator().to("meta"), half=True)
