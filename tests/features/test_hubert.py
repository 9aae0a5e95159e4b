"""HuBERT features from a local folder: layer, gain, frames, batches, half precision, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch

from GPT_SoVITS.features.encode import TurnEncoder
from GPT_SoVITS.features.hubert import HubertError, HubertFeatures
from GPT_SoVITS.features.hubert_batch import cut_by_length, padded, padded_forward
from GPT_SoVITS.features.model_folder import ModelFolderError

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in the published layout: same kernels and strides, 16 wide, stored in fp16."""
    return tiny_model(tmp_path_factory.mktemp("chinese-hubert-base"))


def tiny_model(folder: Path, *, hidden_size: int = 16, **more: Any) -> Path:
    """Random weights, the same each time."""
    torch.manual_seed(0)
    config = transformers.HubertConfig(
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=[8] * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        **more,
    )
    transformers.HubertModel(config).half().save_pretrained(folder)
    return folder


def noise(seconds: float, *, peak: float = 0.5, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(int(32000 * seconds))
    return (peak * samples / np.abs(samples).max()).astype(np.float32)


@pytest.mark.parametrize(("seconds", "frames"), [(1.0, 49), (1.02, 50), (3.0, 149)])
def test_one_second_has_49_frames(folder: Path, seconds: float, frames: int) -> None:
    assert HubertFeatures(folder).extract(noise(seconds)).shape == (frames, 16)


def test_features_are_the_models_last_hidden_state(folder: Path) -> None:
    samples = noise(0.5)
    model = transformers.HubertModel.from_pretrained(folder, dtype=torch.float32).eval()
    wave = torch.from_numpy(soxr.resample(samples, 32000, 16000, quality="HQ"))[None]
    with torch.inference_mode():
        out = model(wave, output_hidden_states=True)
    assert torch.equal(out.hidden_states[-1], out.last_hidden_state)
    assert np.allclose(HubertFeatures(folder).extract(samples), out.last_hidden_state[0], atol=1e-5)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_turns_of_any_length_together_equal_turns_alone(
    folder: Path, tmp_path: Path, norm: str
) -> None:
    if norm == "layer":  # as the large models have it
        folder = tiny_model(tmp_path, feat_extract_norm="layer", conv_bias=True)
    alone, together = HubertFeatures(folder), HubertFeatures(folder, batch_seconds=3.0)
    turns = [noise(s, seed=i) for i, s in enumerate((0.5, 0.3, 0.5, 1.1, 0.031, 0.7))]
    batches = cut_by_length([len(turn) // 2 for turn in turns], limit=together.batch_samples)
    assert batches == [[3, 5], [0, 2, 1, 4]]
    for one, many in zip(map(alone.extract, turns), together.extract_many(turns), strict=True):
        assert one.shape == many.shape
        assert np.abs(one - many).max() < 1e-4 * max(1.0, np.abs(one).max())


def test_a_plain_padded_batch_would_give_other_features(folder: Path) -> None:
    """Why the group norm is masked: the test above would not pass without it."""
    model = transformers.HubertModel.from_pretrained(folder, dtype=torch.float32).eval()
    waves = [torch.from_numpy(noise(s)[::2].copy()) for s in (0.3, 1.0)]
    together, lengths = padded(waves)
    mask = torch.arange(together.shape[1]) < lengths[:, None]
    with torch.inference_mode():
        one = model(waves[0][None]).last_hidden_state[0]
        plain = model(together, attention_mask=mask.long()).last_hidden_state[0, : len(one)]
        ours = padded_forward(model, together, lengths)[0, : len(one)]
    assert (plain - one).abs().max() > 0.01
    assert (ours - one).abs().max() < 1e-4


def test_a_bad_turn_leaves_its_neighbours_alone(folder: Path) -> None:
    features = HubertFeatures(folder, batch_seconds=10.0)
    found = features.try_many([noise(0.4), np.zeros(9000, np.float32), noise(0.3, seed=1)])
    assert isinstance(found[1], HubertError) and "silent" in str(found[1])
    single = HubertFeatures(folder)
    assert np.allclose(found[0], single.extract(noise(0.4)), atol=1e-4)
    assert np.allclose(found[2], single.extract(noise(0.3, seed=1)), atol=1e-4)
    with pytest.raises(HubertError, match="silent"):
        features.extract_many([noise(0.4), np.zeros(9000, np.float32)])


def test_gains_are_those_of_the_published_preparations(folder: Path) -> None:
    samples = noise(0.2)
    peak = np.abs(samples).max()
    plain, sovits, talker = (
        HubertFeatures(folder, gain=gain).waveform(samples)
        for gain in ("plain", "gpt_sovits", "gpt_talker")
    )
    mixed = samples / peak * (0.95 * 0.5 * 1145.14) + 0.5 * 1145.14 * samples
    assert np.allclose(sovits, soxr.resample(mixed, 32000, 16000, quality="HQ"), rtol=1e-4)
    assert np.allclose(talker, sovits * (32768 / 1145.14), rtol=1e-3, atol=1e-2)
    assert np.abs(plain).max() < 1


def test_a_gain_hardly_changes_the_features(folder: Path) -> None:
    """The first convolution has no bias and a group norm behind it (spec: features §2.1)."""
    samples = noise(0.5)
    plain = HubertFeatures(folder).extract(samples)
    loud = HubertFeatures(folder, gain="gpt_sovits").extract(samples)
    assert np.abs(plain - loud).max() < 0.05 * np.abs(plain).max()


def test_what_overflows_in_half_precision_is_done_again_in_fp32(folder: Path, caplog) -> None:
    """GPT-Talker keeps loud files: their int16 scale leaves the range of fp16."""
    samples = noise(0.3, peak=60.0)
    full = HubertFeatures(folder, gain="gpt_talker")
    half = HubertFeatures(folder, gain="gpt_talker", half=True)
    with caplog.at_level("WARNING"):
        found = half.extract(samples)
    assert "again in fp32" in caplog.text
    assert np.array_equal(found, full.extract(samples))
    samples = noise(0.3)
    quiet = HubertFeatures(folder, half=True).extract(samples)
    assert 0 < np.abs(quiet - HubertFeatures(folder).extract(samples)).max() < 0.05


def test_bad_turns_and_folders_are_errors_that_say_so(folder: Path, tmp_path: Path) -> None:
    features = HubertFeatures(folder, gain="gpt_sovits")
    for samples, said in (
        (np.zeros(16000, np.float32), "silent"),
        (noise(0.01), "too short"),
        (noise(0.5, peak=2.5), "above 2.2"),
        (np.full(16000, np.nan, np.float32), "not finite"),
    ):
        with pytest.raises(HubertError, match=said):
            features.extract(samples)
    with pytest.raises(ModelFolderError, match="chinese-hubert-base"):
        HubertFeatures(tmp_path)
    with pytest.raises(ValueError, match="gain"):
        HubertFeatures(folder, gain="loud")


def test_the_turn_encoder_makes_tokens_of_them(folder: Path) -> None:
    features = HubertFeatures(folder)
    encoder = TurnEncoder(
        {"kind": "hubert", "dim": 16},
        None,
        lambda x: x[:, :, : x.shape[2] // 2 * 2 : 2].argmax(dim=1),
        frames=features,
    )
    codes, frames, state = encoder.encode(noise(1.0), "a", encoder.start())
    assert frames.shape == (49, 16) and codes.shape == (24,) and state == encoder.start()
