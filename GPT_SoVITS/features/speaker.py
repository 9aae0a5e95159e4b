"""Speaker vectors of v2Pro and v2ProPlus: 32 kHz samples -> filter bank -> ERes2NetV2 -> (20480,).

frames of 400 samples every 160 at 16 kHz, mean removed, pre-emphasis 0.97, Povey window,
power spectrum of 512, 80 mel triangles from 20 Hz to 8 kHz, natural log (spec: features §5.1)
"""

from __future__ import annotations

import math

import numpy as np
import soxr
import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.nn.eres2net import N_BINS, ERes2NetV2

SPEAKER_RATE = 16000
FRAME, SHIFT, SIZE = 400, 160, 512
PREEMPHASIS = 0.97
LOWEST_HZ = 20.0
FLOOR = 1.1920929e-7


class SpeakerError(ValueError):
    """A recording no speaker vector can be taken from."""


def filter_bank(wave: Tensor) -> Tensor:
    """wave (B, T) at 16 kHz in [-1, 1] -> log mel energies (B, 1 + (T - 400) // 160, 80)."""
    frames = wave.unfold(-1, FRAME, SHIFT)  # (B, N, 400)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    before = F.pad(frames, (1, 0), mode="replicate")[..., :-1]  # sample 0 is its own predecessor
    window = torch.hann_window(FRAME, periodic=False, dtype=wave.dtype, device=wave.device) ** 0.85
    spectrum = torch.fft.rfft((frames - PREEMPHASIS * before) * window, n=SIZE)
    power = spectrum.abs().square()  # (B, N, 257)
    out: Tensor = (power @ _triangles().to(power)).clamp(min=FLOOR).log()
    return out


def _triangles() -> Tensor:
    """(257, 80) mel weights, equally spaced on the mel axis; the last bin (8 kHz) weighs 0."""

    def mel(hz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hz / 700.0)

    ends = mel(torch.tensor([LOWEST_HZ, SPEAKER_RATE / 2], dtype=torch.float64))
    edges = torch.linspace(float(ends[0]), float(ends[1]), N_BINS + 2, dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    at = mel(torch.arange(SIZE // 2, dtype=torch.float64) * SPEAKER_RATE / SIZE)[:, None]
    slopes = torch.minimum((at - left) / (centre - left), (right - at) / (right - centre))
    return F.pad(slopes.clamp(min=0.0), (0, 0, 0, 1)).float()


class SpeakerFeatures:
    """The network with its filter bank; one utterance at a time, as published."""

    def __init__(self, network: ERes2NetV2, *, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._network = network.to(self.device).eval().requires_grad_(False)

    @torch.inference_mode()
    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz, the ones the reference spectrogram is of -> (20480,) float32."""
        samples = np.asarray(samples, dtype=np.float32)
        peak = float(np.abs(samples).max(initial=0.0))
        if not math.isfinite(peak) or peak == 0.0:
            raise SpeakerError(f"the recording is silent or not finite (peak {peak})")
        wave = np.asarray(soxr.resample(samples, SAMPLE_RATE, SPEAKER_RATE, quality="HQ"))
        if len(wave) < FRAME:
            raise SpeakerError(f"{len(wave) / SPEAKER_RATE:.3f} s is too short, 0.025 s are needed")
        bank = filter_bank(torch.from_numpy(wave)[None].to(self.device))
        values: np.ndarray = self._network(bank)[0].cpu().numpy()
        return values
