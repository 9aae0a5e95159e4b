"""A complete talker folder of tiny networks: real classes, real features, seconds to make."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.checkpoints import save_model, write_talker
from GPT_SoVITS.checkpoints.tokenizer_file import save_tokenizer
from GPT_SoVITS.features.logmel import LogmelConfig, LogmelFeatures
from GPT_SoVITS.features.statistics import FeatureStatistics
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer


def voice(pitch: float, seconds: float, seed: int = 0) -> np.ndarray:
    """Harmonics with a swelling envelope: enough of a voice for every extractor."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 8))
    swell = 0.5 + 0.4 * np.sin(2 * np.pi * 2 * t)
    return (0.1 * swell * wave + 0.002 * rng.standard_normal(len(t))).astype(np.float32)


def write_tiny_talker(
    root: Path, *, s1: S1Config | None = None, options: dict[str, Any] | None = None
) -> Path:
    """``root/talker`` as the two trainings would leave it, plus ``anna.wav`` beside it.

    ``options`` are the talker's defaults of speaking.
    """
    torch.manual_seed(0)
    folder = root / "talker"
    feature = LogmelConfig()
    raw = LogmelFeatures(feature).raw(voice(180, 2.0))
    statistics = FeatureStatistics.fit([raw])
    tokenizer = SemanticTokenizer.stacking(feature.dim, n_codes=1024)
    tokenizer.quantizer.fit(torch.randn(64, 2 * feature.dim), iterations=2)
    save_tokenizer(
        root / "t.safetensors", tokenizer, feature=feature.to_json(), statistics=statistics
    )
    common = {
        "symbols": "v2",
        "feature": feature.to_json(),
        "quantizer_id": tokenizer.quantizer_id(feature.to_json()),
    }
    layout = {"history_mode": "window", "history_turns": 2, "loss_on": "response"}
    s1 = s1 or S1Config(hidden_dim=32, n_head=4, n_layer=2)
    save_model(
        folder / "s1.safetensors",
        SemanticGPT(s1),
        kind="s1",
        config=s1,
        header=common | {"layout": layout},
    )
    s2 = S2Config(
        ssl_dim=feature.dim,
        semantic_dim=2 * feature.dim,
        inter_channels=16,
        hidden_channels=16,
        filter_channels=32,
        n_layers=2,
        mrte_channels=32,
        gin_channels=32,
        upsample_initial_channel=32,
        reference_hidden=16,
    )
    save_model(
        folder / "s2.safetensors", ConversationalVITS(s2), kind="s2", config=s2, header=common
    )
    save_audio(root / "anna.wav", voice(210, 1.5))
    write_talker(
        folder,
        tokenizer=root / "t.safetensors",
        settings={"english_dictionary": "cmudict", "options": options or {}},
        speakers={"anna": {"clip": root / "anna.wav", "seconds": 1.5, "turn": "x/0/1"}},
    )
    return folder
