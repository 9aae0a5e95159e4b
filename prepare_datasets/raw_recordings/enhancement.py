"""Voices made cleaner before they are told apart: nothing, or an engine from a local folder.

An engine is any function samples (T,) at 16 kHz -> (T,); `none` gives back what it gets, bit for
bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

Enhancer = Callable[[np.ndarray], np.ndarray]


def no_enhancement(samples: np.ndarray) -> np.ndarray:
    """The voices (T,) at 16 kHz as they are."""
    return samples


class SepformerEnhancement:
    """SpeechBrain's SepFormer for noise at 16 kHz, as NCSSD used it, from a local folder."""

    def __init__(self, model: str) -> None:
        if not (Path(model) / "hyperparams.yaml").is_file():
            raise ValueError(f"{model}: no hyperparams.yaml; not a folder of a SpeechBrain model")
        from speechbrain.inference.separation import SepformerSeparation

        self._model: Any = SepformerSeparation.from_hparams(source=model, savedir=model)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """(T,) -> (T,), the first of the sources found."""
        import torch

        with torch.inference_mode():
            sources = self._model.separate_batch(torch.from_numpy(samples)[None].float())
        clean = sources[0, :, 0].cpu().numpy().astype(np.float32)[: len(samples)]
        return np.pad(clean, (0, len(samples) - len(clean)))


_sepformer = lru_cache(maxsize=1)(SepformerEnhancement)  # one model for all recordings


def enhancement(engine: str, model: str | None) -> Enhancer:
    """The engine asked for. Raises `ValueError`."""
    if engine == "sepformer":
        if model is None:
            raise ValueError("enhancement sepformer needs enhancement_model, a local folder")
        return _sepformer(model)
    return no_enhancement
