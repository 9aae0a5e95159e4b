"""Fine-tuning a Pro version: every reference has its speaker vector, in training and afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.checkpoints import load_s2
from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.nn.eres2net import ERes2NetV2
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training import train_s2
from GPT_SoVITS.training.prepared import DataError, PreparedData
from GPT_SoVITS.training.s2_data import S2BatchConfig, S2Dataset, collate_turns
from tests.training.tiny import arguments

PRO = S2Config(
    version="v2Pro",
    speaker_vector_dim=20480,
    inter_channels=16,
    hidden_channels=16,
    filter_channels=16,
    n_layers=2,
    mrte_channels=16,
    posterior_layers=1,
    flow_layers=1,
    gin_channels=16,
    reference_hidden=8,
    upsample_initial_channel=32,
    resblock_kernel_sizes=(3,),
    resblock_dilations=(1,),
    segment_frames=8,
)


def base_of(folder: Path, *, speaker: bool) -> Path:
    """A tiny Pro model as an imported folder holds it."""
    torch.manual_seed(0)
    save_model(folder / "s2.safetensors", ConversationalVITS(PRO), kind="s2", config=PRO)
    if speaker:
        save_model(folder / "sv.safetensors", ERes2NetV2(), kind="sv", config={})
    return folder


def test_without_the_speaker_network_it_says_what_to_import(prepared_demo: Path, tmp_path: Path):
    base = base_of(tmp_path / "base", speaker=False)
    command = arguments("s2", prepared_demo, tmp_path / "run", 1)
    with pytest.raises(DataError, match="speaker network"):
        train_s2.main([*command, f"--run.init_from={base}"])


def test_a_vector_is_the_references_and_is_taken_once(prepared_demo: Path):
    heard: list[np.ndarray] = []

    def voice(samples: np.ndarray) -> np.ndarray:
        heard.append(samples)
        return np.full(20480, samples.std(), dtype=np.float32)

    data = PreparedData(prepared_demo)
    dataset = S2Dataset(data, "train", S2BatchConfig(), voice=voice)  # type: ignore[arg-type]
    first, again = dataset[0, 3], dataset[0, 3]
    assert len(heard) == 1 and np.array_equal(heard[0], first.reference)
    assert first.vector is not None and first.vector[0] == pytest.approx(first.reference.std())
    batch = collate_turns([first, again, dataset[0, 0]])
    assert batch.speaker_vectors is not None and batch.speaker_vectors.shape == (3, 20480)


@pytest.mark.slow
def test_the_speaker_input_learns_and_the_talker_keeps_its_network(
    prepared_demo: Path, tmp_path: Path
):
    base = base_of(tmp_path / "base", speaker=True)
    command = arguments("s2", prepared_demo, tmp_path / "run", 2)
    exported = train_s2.main([*command, f"--run.init_from={base}"])
    model, header = load_s2(exported)
    assert dataclasses.asdict(model.config)["speaker_vector_dim"] == 20480
    before, _ = load_s2(base / "s2.safetensors")
    assert not torch.equal(before.speaker_embedding.weight, model.speaker_embedding.weight)
    kept = exported.with_name("sv.safetensors")
    assert kept.read_bytes() == (base / "sv.safetensors").read_bytes()
    assert header.quantizer_id == PreparedData(prepared_demo).meta["quantizer_id"]
