"""A small vocoder for CPUs: a harmonic source and noise, both filtered by what the latents say.

    latents 50 Hz -> x4 -> ConvNeXt blocks at 200 Hz -> F0, source filter, noise filter

    F0 -> phase -> all harmonics below 15 kHz -> STFT x source filter \
                                                                       + -> inverse STFT -> samples
                                   white noise -> STFT x noise filter /

Everything learnt runs 200 times a second, so a step of training and a second of speech cost a
fraction of HiFi-GAN's, and pitch need not be found by ear: F0 has a loss of its own against the
recording's (:meth:`SourceFilter.taught`), and the recording's F0 drives the source in training.
After Wang et al. 2019 (neural source-filter), Engel et al. 2020 (DDSP), Liu et al. 2022 (ConvNeXt)
and Siuzdak 2023 (Vocos).

The phase of a frame is the sum of all F0 before it: :attr:`SourceFilter.field` reaches back to the
reply's start, and a stream renders from there.
"""

from __future__ import annotations

import math

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.audio.pitch import track_pitch
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generator import WaveGenerator
from GPT_SoVITS.s2_vits.receptive_field import Field

POINTS = 4
"""Filters per frame of 20 ms."""
HOP = HOP_LENGTH // POINTS
N_FFT = 1024
BINS = N_FFT // 2 + 1
KERNEL = 7
HIGHEST = 15_000.0
"""No harmonic above it, in Hz."""
F0_RANGE = (60.0, 500.0)
DISPERSION = 0.004
"""Seconds by which the highest harmonic lags the lowest: in phase they would be one tall pulse."""
TAPE = 1 << 17
"""Samples of the noise a reply is made with, over and over."""
RESOLUTIONS = (512, 1024)
LOW_RATE, PITCH_RATE = 4000, 16000
"""The recording's pitch is looked for below 2 kHz, where periods differ by whole harmonics, at a
rate that tells them apart."""
EVERYTHING = 1 << 40
"""Frames to the left: all there are."""


class ConvNeXtBlock(nn.Module):
    """x + gamma * MLP(norm(depthwise convolution of x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(width, width, KERNEL, padding=KERNEL // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, 3 * width)
        self.fall = nn.Linear(3 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, N) -> (B, W, N)."""
        y = self.norm(self.along(x).transpose(1, 2))
        y = self.gamma * self.fall(F.gelu(self.rise(y)))
        out: Tensor = x + y.transpose(1, 2)
        return out


class SourceFilter(WaveGenerator):
    """latents (B, inter, T) and condition (B, G, 1) -> wave (B, 1, 640 T)."""

    window: Tensor
    tape: Tensor
    lag: Tensor

    def __init__(self, config: S2Config) -> None:
        super().__init__(config)
        width, layers = config.source_filter_width, config.source_filter_layers
        # source and filter reach 8 points beyond a frame; the rest is the convolutions'
        points = 8 + layers * (KERNEL // 2)
        self.field = Field(EVERYTHING, -(-points // POINTS) + 2)
        self.conv_pre = nn.Conv1d(config.inter_channels, width, 3, padding=1)
        self.cond = nn.Conv1d(config.gin_channels, width, 1)
        self.finer = nn.Conv1d(width, POINTS * width, 3, padding=1)
        self.blocks = nn.ModuleList(ConvNeXtBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pitch = nn.Linear(width, 1)
        self.filters = nn.Linear(width, 2 * BINS)
        nn.init.normal_(self.filters.weight, std=0.01)
        nn.init.constant_(self.filters.bias, -4.0)
        frequency = torch.linspace(0, SAMPLE_RATE / 2, BINS)
        lag = -math.pi * DISPERSION * frequency.square() / frequency[-1]
        draw = torch.Generator().manual_seed(0)
        # the angle, not the complex factor: `.to(torch.float32)` would keep that one's real part
        self.register_buffer("lag", lag[:, None], persistent=False)
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("tape", torch.randn(TAPE, generator=draw), persistent=False)

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """(B, inter, T) and (B, G, 1) -> (B, 1, 640 T); the same latents always sound the same."""
        f0, source, noise = self._controls(z, condition)
        at = torch.arange(z.shape[2] * HOP_LENGTH, device=z.device) % TAPE
        white = self.tape[at].expand(len(z), -1)
        return self._sound(f0, source, noise, white)

    def taught(self, z: Tensor, condition: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """The wave with the recording's F0 where it has one; losses of F0 and of spectra.

        `real` (B, 1, 640 T). The loss is the mean |octaves| that F0 is off, times 10, and the mean
        difference of log magnitudes at shorter windows than the mel's (nepers), times 5.
        """
        f0, source, noise = self._controls(z, condition)
        wanted = _tracked(real[:, 0])
        voiced = wanted > 0
        gap = (f0.clamp(min=1).log2() - wanted.clamp(min=1).log2()).abs()
        octaves = (gap * voiced).sum() / voiced.sum().clamp(min=1)
        driven = torch.where(voiced, wanted, f0.detach())
        white = torch.randn(len(z), z.shape[2] * HOP_LENGTH, device=z.device)
        wave = self._sound(driven, source, noise, white)
        return wave, 10 * octaves + 5 * _spectral_loss(real[:, 0].float(), wave[:, 0])

    def _controls(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """F0 (B, 4 T) in Hz, log magnitudes of both filters (B, 513, 4 T)."""
        x = self.finer(self.conv_pre(z) + self.cond(condition))
        x = x.unflatten(1, (-1, POINTS)).transpose(2, 3).flatten(2)  # (B, W, 4 T)
        for block in self.blocks:
            x = block(x)
        with torch.autocast(z.device.type, enabled=False):  # half precision would be out of tune
            x = self.norm(x.transpose(1, 2).float())
            low, high = F0_RANGE
            f0 = low * (high / low) ** self.pitch(x)[..., 0].sigmoid()
            source, noise = self.filters(x).transpose(1, 2).chunk(2, dim=1)
        return f0, source.clamp(max=6), noise.clamp(max=6)

    def _sound(self, f0: Tensor, source: Tensor, noise: Tensor, white: Tensor) -> Tensor:
        """F0 (B, N), filters (B, 513, N), white noise (B, 160 N) -> wave (B, 1, 160 N)."""
        lag = torch.polar(torch.ones_like(self.lag), self.lag)  # (513, 1)
        spectrum = self._analysed(harmonics(f0)) * lag * source.exp()
        return self._joined(spectrum + self._analysed(white) * noise.exp()).tanh()

    def _analysed(self, wave: Tensor) -> Tensor:
        """(B, 160 N) -> spectra (B, 513, N), each centred on its 160 samples."""
        side = (N_FFT - HOP) // 2
        wave = F.pad(wave, (side, side))
        window = self.window
        return torch.stft(wave, N_FFT, HOP, window=window, center=False, return_complex=True)

    def _joined(self, spectrum: Tensor) -> Tensor:
        """Overlap-add of :meth:`_analysed`'s frames -> (B, 1, 160 N)."""
        n, side = spectrum.shape[2], (N_FFT - HOP) // 2
        frames = torch.fft.irfft(spectrum, n=N_FFT, dim=1) * self.window[:, None]
        squares = self.window.square()[None, :, None].expand(1, -1, n)
        size, kernel = (1, n * HOP + 2 * side), (1, N_FFT)
        added = F.fold(frames, size, kernel, stride=(1, HOP))
        weight = F.fold(squares, size, kernel, stride=(1, HOP))
        return (added / weight.clamp(min=1e-3))[:, 0, :, side:-side]


def harmonics(f0: Tensor) -> Tensor:
    """F0 (B, N) at 200 Hz -> (B, 160 N): cosines at all multiples of F0, of power 1 together.

    The sum of cos k x for k = 1 ... K is sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2.
    """
    fine = F.interpolate(f0[:, None], scale_factor=HOP, mode="linear")[:, 0]
    turns = torch.cumsum(fine.double() / SAMPLE_RATE, dim=1)
    x = (2 * math.pi * (turns - turns.round())).float()  # within half a turn of a pulse
    count = (HIGHEST / fine).floor()
    below = (x / 2).sin()
    at_pulse = below.abs() < 1e-5
    ratio = ((count + 0.5) * x).sin() / torch.where(at_pulse, torch.ones_like(x), below)
    total = torch.where(at_pulse, count, 0.5 * ratio - 0.5)
    return total * (2 / count).sqrt()


@torch.no_grad()
def _tracked(wave: Tensor) -> Tensor:
    """(B, 160 N) -> F0 (B, N) in Hz, 0 where unvoiced."""
    low, high = F0_RANGE
    rows = [
        track_pitch(
            soxr.resample(soxr.resample(row, SAMPLE_RATE, LOW_RATE), LOW_RATE, PITCH_RATE),
            sample_rate=PITCH_RATE,
            hop_length=HOP * PITCH_RATE // SAMPLE_RATE,
            f0_min=low,
            f0_max=high,
        )[0]
        for row in wave.float().cpu().numpy()
    ]
    return torch.from_numpy(np.stack(rows)).to(wave.device)


def _spectral_loss(real: Tensor, wave: Tensor) -> Tensor:
    """(B, T) both -> mean absolute difference of log magnitudes over :data:`RESOLUTIONS`."""
    losses = []
    for size in RESOLUTIONS:
        window = torch.hann_window(size, device=wave.device)
        logs = [
            torch.stft(x, size, size // 4, window=window, return_complex=True).abs().clamp(min=1e-3)
            for x in (real, wave)
        ]
        losses.append((logs[0].log() - logs[1].log()).abs().mean())
    return torch.stack(losses).mean()
