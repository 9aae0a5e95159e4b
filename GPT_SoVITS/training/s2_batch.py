"""A stage 2 batch as a step takes it: waves to spectrograms, rows with their noise and slices."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.s2_vits.batch import S2Batch, S2Output, slice_samples
from GPT_SoVITS.s2_vits.history import with_history_spectrograms
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training.ranks import world_size


@dataclass(frozen=True)
class Part:
    """Rows of a batch with their own noise and slices."""

    batch: S2Batch
    learnt: Tensor
    noise: Tensor
    starts: Tensor

    def said_by(self, model: ConversationalVITS) -> S2Output:
        """The model's sound of these rows."""
        said: S2Output = model(self.batch, noise=self.noise, starts=self.starts)
        return said

    def real(self, said: S2Output) -> Tensor:
        """The recording where the model's slices are, (B, 1, 640 S)."""
        assert self.batch.wave is not None
        return slice_samples(self.batch.wave, said.starts, said.wave.shape[2] // HOP_LENGTH)

    def share(self, rows: Tensor) -> Tensor:
        """Weight () of a mean over this part's rows, of all ranks' `rows`."""
        return self.learnt.sum().float() * world_size() / rows


def with_spectrograms(batch: S2Batch) -> S2Batch:
    """Waves (B, T) in `spectrogram` and `reference` become spectrograms; padding is zeroed."""
    target = linear_spectrogram(batch.spectrogram)
    target = target * frame_mask(batch.spectrogram_lengths, target)
    assert batch.reference is not None
    reference = linear_spectrogram(batch.reference)
    reference = reference * frame_mask(batch.reference_lengths, reference)
    history = None if batch.history is None else with_history_spectrograms(batch.history)
    return dataclasses.replace(batch, spectrogram=target, reference=reference, history=history)


def frame_mask(lengths: Tensor | None, spectrogram: Tensor) -> Tensor:
    """lengths (B,) -> float (B, 1, T), 1 on valid frames."""
    assert lengths is not None
    size = spectrogram.shape[2]
    return (torch.arange(size, device=lengths.device) < lengths[:, None])[:, None].float()
