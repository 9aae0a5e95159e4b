"""Which content features a config asks for, and how one turn gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.features.encode import FrameFeatures, Tokenize, TurnEncoder
from GPT_SoVITS.features.kinds import FRAME_KINDS
from GPT_SoVITS.features.logmel import LogmelConfig
from GPT_SoVITS.features.statistics import FeatureStatistics
from prepare_datasets.config import PrepareConfig

TOGETHER = 64  # turns in memory at once


@dataclass(frozen=True)
class FeatureRecipe:
    """Everything the features of a turn follow from; travels to worker processes."""

    kind: str
    logmel: LogmelConfig
    folder: str | None = None
    """Where its weights lie; not part of the identity."""
    device: str = "cpu"
    """Where it runs."""
    batch_seconds: float | None = None
    """Sound that goes through it together; None: as the device likes it."""

    def header(self) -> dict[str, Any]:
        """Feature config as files state it: part of the quantizer_id."""
        if self.kind == "logmel":
            return self.logmel.to_json()
        name = "hubert" if self.kind.startswith("imported") else self.kind
        return {"kind": name, "dim": FRAME_KINDS[name].dim}

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
        if self.kind.startswith("imported"):
            return _Imported()
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        folder = Path(self.folder) if self.folder else None
        return FRAME_KINDS[self.kind].open(folder, device, self.batch_seconds)


class _Imported:
    """Stands where HuBERT would: imported features are read, never extracted."""

    dim = FRAME_KINDS["hubert"].dim

    def extract(self, samples: np.ndarray) -> np.ndarray:
        raise NotImplementedError("imported features cannot be computed from sound")

    def try_many(self, turns: Sequence[np.ndarray]) -> list[Any]:
        return [self.extract(samples) for samples in turns]


def feature_recipe(config: PrepareConfig) -> FeatureRecipe:
    """The recipe of a prepared data set."""
    feature = config.feature
    return FeatureRecipe(
        feature.kind,
        feature.logmel,
        config.hubert,
        config.hubert_device,
        config.hubert_batch_seconds,
    )


@lru_cache(maxsize=2)
def _encoder(recipe: FeatureRecipe) -> TurnEncoder:
    """One per process."""
    return recipe.encoder()


def raw_features(
    recipe: FeatureRecipe, raw: Path, output: Path, turns: Sequence[dict[str, Any]]
) -> list[np.ndarray | ValueError | None]:
    """(F, D) at 50 Hz of each turn, from its 32 kHz audio or its imported tensor.

    None where a file holds something else; the extractor's error where it can make nothing of it.
    """
    if recipe.kind == "imported_features":
        return [_tried(read_tensor, raw / turn["features"]) for turn in turns]
    encoder = _encoder(recipe)
    found: list[np.ndarray | ValueError | None] = []
    for start in range(0, len(turns), TOGETHER):
        sounds = [_tried(load_audio, output / t["audio"]) for t in turns[start : start + TOGETHER]]
        made = iter(encoder.raw_many([x for x in sounds if isinstance(x, np.ndarray)]))
        found += [next(made) if isinstance(x, np.ndarray) else x for x in sounds]
    return found


def _tried(read: Callable[[Path], np.ndarray | None], path: Path) -> np.ndarray | ValueError | None:
    """What the file holds, or why it cannot be used."""
    try:
        return read(path)
    except ValueError as error:
        return error


def read_tensor(path: Path) -> np.ndarray | None:
    """A published (1, D, F) tensor file as (F, D) float32; None where it holds something else."""
    tensor = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(tensor, torch.Tensor) or tensor.dim() != 3 or tensor.shape[:2] != (1, 768):
        return None
    return tensor.detach()[0].T.float().contiguous().numpy()
