"""Losses of the adversarial VITS (spec: s2 §10); all in fp32."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.s2_vits.discriminators import Judgement


def kl_loss(z_p: Tensor, log_q: Tensor, mean_p: Tensor, log_p: Tensor, mask: Tensor) -> Tensor:
    """KL of posterior sample to prior, all (B, C, T), mask (B, 1, T): sum over C, mean of T."""
    z_p, log_q, mean_p, log_p = (x.float() for x in (z_p, log_q, mean_p, log_p))
    kl = log_p - log_q - 0.5 + 0.5 * (z_p - mean_p).square() * torch.exp(-2.0 * log_p)
    return (kl * mask).sum() / mask.sum()


def discriminator_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> Tensor:
    """Judgements (B, N) -> least squares: real towards 1, fake towards 0."""
    losses = [
        (1 - r.float()).square().mean() + f.float().square().mean()
        for (r, _), (f, _) in zip(real, fake)
    ]
    return torch.stack(losses).sum()


def generator_loss(fake: Sequence[Judgement]) -> Tensor:
    """Judgements (B, N) -> least squares: fake towards 1."""
    return torch.stack([(1 - f.float()).square().mean() for f, _ in fake]).sum()


def feature_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> Tensor:
    """Maps (B, …) -> 2 x mean absolute difference of all of them; the real ones are detached."""
    total = [
        F.l1_loss(f.float(), r.detach().float())
        for (_, reals), (_, fakes) in zip(real, fake)
        for r, f in zip(reals, fakes)
    ]
    return 2 * torch.stack(total).sum()


def mel_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute difference of log mels (B, 128, T), unweighted."""
    return (real.float() - fake.float()).abs().mean()


def mel_cepstral_distortion(real: Tensor, fake: Tensor, *, n: int = 13) -> Tensor:
    """dB between aligned log mels (B, 128, T): (10 / ln 10) sqrt(2 sum of squared cepstra 1 ... n).

    Kubichek 1993, on the cepstra of our natural-log mels (c_0 + 2 sum of c_n cos is the log mel);
    a measure, not a loss.
    """
    size = real.shape[1]
    k, band = torch.arange(1, n + 1)[:, None], torch.arange(size)
    cosines = (torch.cos(math.pi * k * (band + 0.5) / size) / size).to(real)
    gap = cosines @ (real.float() - fake.float())  # (B, n, T)
    return 10 / math.log(10) * (2 * gap.square().sum(1)).sqrt().mean()
