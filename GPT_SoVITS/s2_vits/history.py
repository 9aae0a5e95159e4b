"""What stage 2 learns of earlier turns: how they sounded (style) and what was said (text).

    turns        … 3      4      5      | 6 = target
    distance       3      2      1
    kept (2)              x      x        the target itself is never among them

Training and inference build the same `HistoryBatch` here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from GPT_SoVITS.audio.constants import HOP_LENGTH, N_FFT
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.s2_vits.batch import HistoryBatch

MAX_FRAMES = 300
"""Frames of a turn's beginning that its style is taken from (6 s)."""


@dataclass(frozen=True)
class PastTurn:
    """A finished turn: phonemes (X,), 32 kHz samples (T,) or None, role, turns back (1 = last)."""

    phonemes: np.ndarray
    wave: np.ndarray | None
    role: int
    distance: int


def collate_history(rows: Sequence[Sequence[PastTurn]]) -> HistoryBatch | None:
    """Rows of past turns, oldest first -> a batch whose `spectrograms` still hold waves (B, K, T).

    None where no row has a turn. :func:`with_history_spectrograms` is the second half: it runs on
    the model's device.
    """
    size = max((len(row) for row in rows), default=0)
    if not size:
        return None
    phonemes = [
        np.concatenate([np.zeros(0, np.int64), *(turn.phonemes for turn in row)]) for row in rows
    ]
    waves = [[_beginning(turn.wave) for turn in row] for row in rows]
    longest = max([N_FFT, *(len(wave) for row in waves for wave in row)])
    sound = np.zeros((len(rows), size, longest), dtype=np.float32)
    frames, role, distance = (np.zeros((len(rows), size), dtype=np.int64) for _ in range(3))
    ids = np.zeros((len(rows), max(len(p) for p in phonemes)), dtype=np.int64)
    for b, row in enumerate(rows):
        ids[b, : len(phonemes[b])] = phonemes[b]
        for k, (turn, wave) in enumerate(zip(row, waves[b])):
            sound[b, k, : len(wave)] = wave
            frames[b, k] = len(wave) // HOP_LENGTH
            role[b, k], distance[b, k] = turn.role, turn.distance
    return HistoryBatch(
        spectrograms=torch.from_numpy(sound),
        frames=torch.from_numpy(frames),
        role=torch.from_numpy(role),
        distance=torch.from_numpy(distance),
        phoneme_ids=torch.from_numpy(ids),
        phoneme_lengths=torch.tensor([len(p) for p in phonemes]),
    )


def with_history_spectrograms(history: HistoryBatch) -> HistoryBatch:
    """Waves (B, K, T) become spectrograms (B, K, 1025, F), zero behind each turn's end."""
    waves = history.spectrograms
    spectrograms = linear_spectrogram(waves.flatten(0, 1)).unflatten(0, waves.shape[:2])
    steps = torch.arange(spectrograms.shape[-1], device=waves.device)
    valid = steps < history.frames[..., None]  # (B, K, F)
    return dataclasses.replace(history, spectrograms=spectrograms * valid[:, :, None])


def _beginning(wave: np.ndarray | None) -> np.ndarray:
    """The samples a style is taken from; none where the turn is too short or only text."""
    if wave is None or len(wave) < N_FFT:
        return np.zeros(0, dtype=np.float32)
    return wave[: MAX_FRAMES * HOP_LENGTH]
