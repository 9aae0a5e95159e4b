"""Pro voices: a speaker vector per reference; without the speaker network a talker says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import render, start_reply, voice_of
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.inference.talker_parts import TalkerError
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.text import Frontend, TextConfig

PRO = S2Config(
    version="v2Pro",
    inter_channels=16,
    hidden_channels=16,
    filter_channels=16,
    n_layers=2,
    gin_channels=24,
    mrte_channels=16,
    posterior_layers=1,
    flow_layers=1,
    upsample_initial_channel=32,
    speaker_vector_dim=5,
)


def test_a_reference_gives_a_spectrogram_and_a_vector_and_both_are_heard() -> None:
    torch.manual_seed(0)
    s2 = ConversationalVITS(PRO).eval()
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32) * 0.1

    def spoken(scale: float) -> np.ndarray:
        vector = np.full(5, scale, np.float32)
        voice = voice_of([noise], torch.device("cpu"), lambda samples: vector)  # type: ignore[arg-type]
        assert voice.vectors is not None and voice.vectors[0].shape == (1, 5)
        generator = torch.Generator().manual_seed(1)
        renderer = start_reply(s2, [4, 5], voice, GenerationOptions(), generator)
        return render(renderer, [1, 2, 3])

    assert np.array_equal(spoken(1.0), spoken(1.0))
    assert not np.array_equal(spoken(1.0), spoken(2.0))


def test_a_loud_reference_is_scaled_down_first() -> None:
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    loud, quiet = noise * 1.5 / np.abs(noise).max(), noise / np.abs(noise).max()
    device = torch.device("cpu")
    spectrograms = [voice_of([wave], device).spectrograms[0] for wave in (loud, quiet)]
    assert torch.allclose(*spectrograms, atol=1e-4)


def test_a_pro_talker_without_the_speaker_network_says_what_to_import() -> None:
    s1 = SemanticGPT(S1Config(hidden_dim=8, n_head=2, n_layer=1))
    with pytest.raises(TalkerError, match="eres2netv2"):
        Talker(s1=s1, s2=ConversationalVITS(PRO), frontend=Frontend(TextConfig()))
