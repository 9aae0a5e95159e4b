"""Voices apart from music and noise: not at all (default), or by Demucs; and the gate after it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from prepare_datasets.raw_recordings.stages import RATE, Separator


def no_separation(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The recording (T,) at 16 kHz as it is, and no background."""
    return samples, np.zeros_like(samples)


class DemucsSeparation:
    """Demucs' vocals, from a folder of local models (its `--repo`)."""

    def __init__(self, folder: str, *, name: str = "htdemucs") -> None:
        from demucs.pretrained import get_model

        self._model: Any = get_model(name, repo=Path(folder))

    def __call__(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Vocals, and everything else."""
        import soxr
        import torch
        from demucs.apply import apply_model

        rate = self._model.samplerate
        wide = soxr.resample(samples, RATE, rate)
        # Demucs' own command gives it sounds of mean 0 and spread 1.
        middle, spread = float(wide.mean()), float(wide.std()) or 1.0
        stereo = torch.from_numpy(np.stack([wide, wide]))[None].float()  # (1, 2, T)
        with torch.inference_mode():
            parts = apply_model(self._model, (stereo - middle) / spread)[0]  # (sources, 2, T)
        vocals = parts[self._model.sources.index("vocals")].mean(dim=0).numpy()
        vocals = vocals * spread + middle
        vocals = soxr.resample(vocals, rate, RATE)[: len(samples)].astype(np.float32)
        vocals = np.pad(vocals, (0, len(samples) - len(vocals)))
        return vocals, samples - vocals


def voice_ratio_db(voices: np.ndarray, background: np.ndarray) -> float:
    """(T,), (T,) -> 10 log10 of the voices' mean power over the background's; inf without any."""
    noise = float(np.mean(np.square(background, dtype=np.float64)))
    voice = float(np.mean(np.square(voices, dtype=np.float64)))
    if noise == 0:
        return float("inf")
    return 10 * float(np.log10(voice / noise)) if voice > 0 else float("-inf")


_demucs = lru_cache(maxsize=1)(DemucsSeparation)  # one model for all recordings


def separation(engine: str, model: str | None) -> Separator:
    """The engine asked for. Raises `ValueError`."""
    if engine == "demucs":
        if model is None:
            raise ValueError("separation demucs needs separation_model, a local folder")
        return _demucs(model)
    return no_separation
