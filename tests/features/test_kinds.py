"""A further content feature is one entry: prepared with, noted in the tokenizer, heard with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.checkpoints.tokenizer_file import load_turn_encoder, save_tokenizer
from GPT_SoVITS.features.kinds import FRAME_KINDS, FrameKind
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer
from prepare_datasets.config import FeatureSource, PrepareConfig
from prepare_datasets.features import feature_recipe
from tests.tiny_talker import voice


class Levels:
    """Mean level and its change in every frame of 20 ms: (F, 2)."""

    dim = 2

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, 2)."""
        frames = samples[: len(samples) // 640 * 640].reshape(-1, 640)
        level = np.log(np.abs(frames).mean(1) + 1e-5).astype(np.float32)
        return np.stack([level, np.gradient(level)], axis=1)

    def try_many(self, turns: Sequence[np.ndarray]) -> Sequence[np.ndarray | ValueError]:
        """Of several turns."""
        return [self.extract(one) for one in turns]


@pytest.fixture(autouse=True)
def levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        FRAME_KINDS, "levels", FrameKind(2, lambda folder, device, seconds: Levels())
    )


def test_preparation_and_session_make_the_same_tokens_of_it(tmp_path: Path):
    recipe = feature_recipe(PrepareConfig(feature=FeatureSource("levels")))
    assert recipe.header() == {"kind": "levels", "dim": 2}
    sound = voice(150, 0.5)
    features = recipe.encoder().raw(sound)
    assert features.shape == (25, 2)
    tokenizer = SemanticTokenizer.averaging(2, 4)
    projected = tokenizer.project(torch.from_numpy(features.T[None].copy()))[0].T
    tokenizer.fit(projected, iterations=2)
    save_tokenizer(tmp_path / "t.safetensors", tokenizer, feature=recipe.header(), statistics=None)
    heard = load_turn_encoder(tmp_path / "t.safetensors")
    codes, found, _ = heard.encode(sound, "anna", heard.start())
    np.testing.assert_array_equal(found, features)
    np.testing.assert_array_equal(codes, recipe.encoder(None, tokenizer.encode).tokens(features))


def test_a_kind_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="feature.kind is 'w2v'; there are logmel, hubert, levels"):
        FeatureSource("w2v")


def test_weights_that_are_needed_must_be_named():
    with pytest.raises(ValueError, match="feature.kind hubert needs --hubert FOLDER"):
        PrepareConfig(feature=FeatureSource("hubert"))
