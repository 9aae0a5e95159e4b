"""Linear and mel spectrograms of 32 kHz sound (spec: s2 §11)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from GPT_SoVITS.audio.constants import HOP_LENGTH, N_FFT, N_MELS, SAMPLE_RATE, WIN_LENGTH

MIN_SAMPLES = (N_FFT - HOP_LENGTH) // 2 + 1


def linear_spectrogram(wave: Tensor) -> Tensor:
    """wave (B, T) in [-1, 1] -> magnitudes (B, 1025, T // 640); T of at least 705 samples.

    Raises `ValueError`.
    """
    if wave.ndim != 2 or wave.shape[1] < MIN_SAMPLES:
        raise ValueError(f"wave is {tuple(wave.shape)}; give (B, T) with T >= {MIN_SAMPLES}")
    pad = (N_FFT - HOP_LENGTH) // 2
    wave = F.pad(wave.float()[:, None], (pad, pad), mode="reflect")[:, 0]
    window = torch.hann_window(WIN_LENGTH, device=wave.device)
    spectrum = torch.stft(
        wave, N_FFT, HOP_LENGTH, WIN_LENGTH, window, center=False, return_complex=True
    )
    real = torch.view_as_real(spectrum)
    return (real.square().sum(-1) + 1e-8).sqrt()


@lru_cache(maxsize=4)
def _mel_filters() -> Tensor:
    import librosa

    bank = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS, fmin=0, fmax=None)
    return torch.from_numpy(bank)  # (128, 1025), slaney scale and norm


def mel_from_linear(spectrogram: Tensor) -> Tensor:
    """(B, 1025, F) -> log mel (B, 128, F), natural log, floor 1e-5."""
    bank = _mel_filters().to(spectrogram.device)
    return torch.log((bank @ spectrogram.float()).clamp(min=1e-5))


def mel_spectrogram(wave: Tensor) -> Tensor:
    """wave (B, T) -> log mel (B, 128, T // 640)."""
    return mel_from_linear(linear_spectrogram(wave))
