"""What stage 2 reads and returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH


@dataclass(frozen=True)
class HistoryBatch:
    """Earlier turns of each sample: reference spectrograms (B, K, 1025, T) and phonemes (B, P).

    `frames` (B, K) valid frames, 0 where there is no turn; `role`, `distance` (B, K); `phoneme_ids`
    (B, P) of all history turns, oldest first, with `phoneme_lengths` (B,).
    """

    spectrograms: Tensor
    frames: Tensor
    role: Tensor
    distance: Tensor
    phoneme_ids: Tensor
    phoneme_lengths: Tensor

    def to(self, device: torch.device | str) -> HistoryBatch:
        """The same batch on another device."""
        return HistoryBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class S2Batch:
    """Codes (B, N) or features (B, D, F), spectrogram (B, 1025, T), phonemes (B, X)."""

    spectrogram: Tensor
    spectrogram_lengths: Tensor
    phoneme_ids: Tensor
    phoneme_lengths: Tensor
    codes: Tensor | None = None
    features: Tensor | None = None
    wave: Tensor | None = None
    """(B, 640 T) samples of the target."""
    reference: Tensor | None = None
    """(B, 1025, R) spectrogram the voice is taken from; None: the target's own."""
    reference_lengths: Tensor | None = None
    speaker_vectors: Tensor | None = None
    """(B, 20480), Pro versions."""
    history: HistoryBatch | None = None

    def to(self, device: torch.device | str) -> S2Batch:
        """The same batch on another device."""
        return S2Batch(**{f.name: _moved(getattr(self, f.name), device) for f in fields(self)})


def _moved(value: Any, device: torch.device | str) -> Any:
    return value.to(device) if isinstance(value, (Tensor, HistoryBatch)) else value


@dataclass(frozen=True)
class S2Output:
    """Training forward: wave (B, 1, 640 S) of the slices that start at `starts` (frames)."""

    wave: Tensor
    starts: Tensor
    mask: Tensor
    z: Tensor
    z_p: Tensor
    mean_p: Tensor
    log_p: Tensor
    mean_q: Tensor
    log_q: Tensor
    commitment: Tensor
    quantized: Tensor
    vocoder_loss: Tensor
    """() of the vocoder's own, 0 without a recording in the batch."""


@dataclass(frozen=True)
class Decoded:
    """`wave` (1, 1, samples); `latent` (1, H, T) of its frames, whose end overlaps the next."""

    wave: Tensor
    latent: Tensor


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B,) -> float (B, 1, size), 1 on valid places."""
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None].float()


def slice_frames(x: Tensor, starts: Tensor, size: int) -> Tensor:
    """x (B, C, T), starts (B,) -> (B, C, size)."""
    index = starts[:, None] + torch.arange(size, device=x.device)
    return x.gather(2, index[:, None].expand(-1, x.shape[1], -1))


def slice_samples(wave: Tensor, starts: Tensor, frames: int) -> Tensor:
    """wave (B, T), 32 kHz, starts in frames -> (B, 1, 640 frames)."""
    return slice_frames(wave[:, None], starts * HOP_LENGTH, frames * HOP_LENGTH)
