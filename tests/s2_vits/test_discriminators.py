"""Discriminators: the order in which they are computed changes nothing; measures measure."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from GPT_SoVITS.s2_vits.discriminators import SLOPE, PeriodDiscriminator
from GPT_SoVITS.s2_vits.losses import feature_loss, mel_cepstral_distortion


@pytest.mark.parametrize("period", [2, 3, 5])
def test_a_period_discriminator_is_the_published_2d_network(period: int):
    torch.manual_seed(0)
    judge, wave = PeriodDiscriminator(period, 0.0625), torch.randn(2, 1, 641)
    x = F.pad(wave, (0, -641 % period), "reflect").view(2, 1, -1, period)
    maps = []
    for conv in judge.convs:
        x = F.leaky_relu(conv(x), SLOPE)
        maps.append(x)
    maps.append(judge.conv_post(x))
    output, found = judge(wave)
    assert torch.allclose(output, maps[-1].flatten(1), atol=1e-5)
    assert all(a.shape == b.shape and torch.allclose(a, b, atol=1e-5) for a, b in zip(found, maps))
    plain = torch.autograd.grad(maps[-1].square().sum(), judge.parameters())
    ours = torch.autograd.grad(output.square().sum(), judge.parameters())
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(plain, ours))


def test_the_feature_loss_is_twice_the_mean_distance_and_moves_only_the_fake():
    real, fake = (torch.randn(2, 3, 5, requires_grad=True) for _ in range(2))
    loss = feature_loss([(real, [real])], [(fake, [fake])])
    assert torch.allclose(loss, 2 * (real - fake).abs().mean())
    loss.backward()
    assert real.grad is None and fake.grad is not None


def test_mel_cepstral_distortion_ignores_loudness_and_sees_the_envelope():
    mel = torch.randn(2, 128, 7)
    assert mel_cepstral_distortion(mel, mel) == 0
    assert mel_cepstral_distortion(mel, mel + 1.0) < 1e-3
    tilt = torch.linspace(-1, 1, 128)[None, :, None]
    once, twice = (float(mel_cepstral_distortion(mel, mel + k * tilt)) for k in (1, 2))
    assert once > 1 and abs(twice / once - 2) < 1e-3


def test_mel_cepstral_distortion_is_in_decibels():
    """One cepstrum c apart: log mels differ by 2 c cos, and it is (10 / ln 10) sqrt(2) c."""
    wave = torch.cos(torch.pi * 3 * (torch.arange(128) + 0.5) / 128)[None, :, None]
    apart = mel_cepstral_distortion(torch.zeros(1, 128, 1), 2 * 0.5 * wave)
    assert float(apart) == pytest.approx(10 / math.log(10) * 2**0.5 * 0.5, rel=1e-4)
