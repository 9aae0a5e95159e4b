"""Which content features a config asks for, and how one turn gets them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.features.encode import FrameFeatures, Tokenize, TurnEncoder
from GPT_SoVITS.features.logmel import LogmelConfig
from GPT_SoVITS.features.statistics import FeatureStatistics
from prepare_datasets.config import PrepareConfig

HUBERT_DIM = 768


@dataclass(frozen=True)
class FeatureRecipe:
    """Everything the features of a turn follow from; travels to worker processes."""

    kind: str
    logmel: LogmelConfig
    folder: str | None = None
    """Where HuBERT lies; not part of the identity."""
    device: str = "cpu"
    """Where HuBERT runs."""

    def header(self) -> dict[str, Any]:
        """Feature config as files state it: part of the quantizer_id."""
        if self.kind == "logmel":
            return self.logmel.to_json()
        return {"kind": "hubert", "dim": HUBERT_DIM}

    def identity(self) -> list[Any]:
        """What goes into fingerprints."""
        return [self.kind, self.header()]

    def encoder(
        self, statistics: FeatureStatistics | None = None, tokenizer: Tokenize | None = None
    ) -> TurnEncoder:
        """The turn encoder, as the session uses it."""
        if self.kind == "logmel":
            if statistics is None:  # raw features need none: neutral ones stand in
                ones = np.ones(self.logmel.dim, np.float32)
                statistics = FeatureStatistics(0 * ones, ones)
            return TurnEncoder(self.logmel, statistics, tokenizer)
        return TurnEncoder(self.header(), None, tokenizer, frames=self._frames())

    def _frames(self) -> FrameFeatures:
        if self.folder is None:
            return _Imported()
        from GPT_SoVITS.features.hubert import HubertFeatures

        return HubertFeatures(self.folder, device=self.device)


class _Imported:
    """Stands where HuBERT would: imported features are read, never extracted."""

    dim = HUBERT_DIM

    def extract(self, samples: np.ndarray) -> np.ndarray:
        raise NotImplementedError("imported features cannot be computed from sound")


def feature_recipe(config: PrepareConfig) -> FeatureRecipe:
    """The recipe of a prepared data set."""
    feature = config.feature
    return FeatureRecipe(feature.kind, feature.logmel, config.hubert, config.hubert_device)


@lru_cache(maxsize=2)
def _encoder(recipe: FeatureRecipe) -> TurnEncoder:
    """One per process."""
    return recipe.encoder()


def raw_features(
    recipe: FeatureRecipe, raw: Path, output: Path, turn: dict[str, Any]
) -> np.ndarray | None:
    """(F, D) at 50 Hz of one turn, from its 32 kHz audio or its imported tensor."""
    if recipe.kind == "imported_features":
        return read_tensor(raw / turn["features"])
    return _encoder(recipe).raw(load_audio(output / turn["audio"]))


def read_tensor(path: Path) -> np.ndarray | None:
    """A published (1, D, F) tensor file as (F, D) float32; None where it holds something else."""
    tensor = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensor, torch.Tensor) or tensor.dim() != 3 or tensor.shape[:2] != (1, 768):
        return None
    return tensor.detach()[0].T.float().contiguous().numpy()
