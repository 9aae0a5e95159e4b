"""The speaker network and its filter bank against the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.features.speaker import SpeakerError, SpeakerFeatures
from GPT_SoVITS.nn.eres2net import VECTOR_DIM, ERes2NetV2
from tests.vectors.checks import misses


@pytest.mark.slow
def test_vectors_and_filter_bank_are_the_published_ones(shared: Path) -> None:
    assert misses(shared / "golden" / "nn_more", "eres2netv2") == []


@pytest.mark.slow
def test_a_recording_gives_one_vector_whatever_its_length() -> None:
    features = SpeakerFeatures(ERes2NetV2())
    noise = np.random.default_rng(0).standard_normal(32000).astype(np.float32) * 0.1
    assert features(noise).shape == features(noise[:8000]).shape == (VECTOR_DIM,)
    with pytest.raises(SpeakerError, match="silent"):
        features(noise * 0)
    with pytest.raises(SpeakerError, match="too short"):
        features(noise[:700])
