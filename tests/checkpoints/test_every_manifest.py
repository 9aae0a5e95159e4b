"""For every manifest: a random file of those keys and shapes imports, exports and is the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from GPT_SoVITS.checkpoints import load_s2, load_speaker
from GPT_SoVITS.checkpoints.commands import export_checkpoint, import_checkpoint
from GPT_SoVITS.checkpoints.legacy import read_legacy
from tests.vectors.folder import Folder

HEADS = {512: 16, 64: 4, 96: 8, 80: 5}
OUT = {"s1": "s1.ckpt", "s2": "s2.pth", "s2d": "s2D.pth", "sv": "sv.ckpt"}
SMALL = ["s1_small_a", "s1_small_b", "s1_small_c"]
FULL = ["s1_v1", "s1_v2", "s2g_v1", "s2g_v2", "s2g_v2pro", "s2g_v2proplus", "s2g_v2_50hz"]
FULL += ["s2d_v1_v2", "s2d_v2pro", "eres2netv2"]


def test_the_lists_name_every_manifest(shared: Path) -> None:
    found = {path.stem for path in (shared / "golden/nn/manifests").glob("*.json")}
    assert found <= {*SMALL, *FULL}


def published(state: dict[str, Tensor], name: str) -> tuple[dict[str, Any], str]:
    """A file's content in a form that stores nothing but weights (s1 also needs its heads)."""
    if name.startswith("s1"):
        dim = state["model.ar_predict_layer.weight"].shape[1]
        layers = len([key for key in state if key.endswith("norm1.weight")])
        rows = state["model.ar_text_embedding.word_embeddings.weight"].shape[0]
        model = {"hidden_dim": dim, "embedding_dim": dim, "head": HEADS[dim], "n_layer": layers}
        model |= {"vocab_size": 1025, "phoneme_vocab_size": rows, "dropout": 0, "EOS": 1024}
        half = {key: value.half() for key, value in state.items()}
        return {"weight": half, "config": {"model": model}, "info": "GPT-e1"}, "s1"
    if name.startswith("eres2net"):
        return state, "sv"
    return {"model": state, "iteration": 1, "learning_rate": 1e-4}, name[:3].removesuffix("g")


def roundtrip(root: Path, name: str, folder: Path) -> str:
    """Through both commands; returns the kind."""
    golden = Folder(root)
    content, kind = published(golden.draw(golden.manifest(name), 77), name)
    source = folder / "source.pth"
    torch.save(content, source)
    assert import_checkpoint([str(source), "--output", str(folder / "talker")]) == 0
    assert export_checkpoint([str(folder / "talker"), "--output", str(folder / "back")]) == 0
    before = content if kind == "sv" else content.get("weight") or content["model"]
    back = read_legacy(folder / "back" / OUT[kind]).content
    after = back if kind == "sv" else back["weight"]
    assert list(before) == list(after)  # the order too
    for key, value in before.items():
        assert value.dtype == after[key].dtype and torch.equal(value, after[key]), key
    return kind


@pytest.mark.parametrize("name", SMALL)
def test_import_then_export_is_the_identity(shared: Path, tmp_path: Path, name: str) -> None:
    assert roundtrip(shared / "golden" / "nn", name, tmp_path) == "s1"


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_import_then_export_is_the_identity_at_full_size(
    shared: Path, tmp_path: Path, name: str
) -> None:
    kind = roundtrip(shared / "golden" / "nn", name, tmp_path)
    if kind == "sv":
        network, _ = load_speaker(tmp_path / "talker" / "sv.safetensors")
        assert network(torch.randn(1, 30, 80)).shape == (1, 20480)
    if kind == "s2":
        network, header = load_s2(tmp_path / "talker" / "s2.safetensors")
        vectors = [torch.randn(1, 20480)] if network.config.is_pro else None
        codes, text = torch.randint(1024, (1, 4)), torch.randint(300, (1, 5))
        wave = network.decode(codes, text, [torch.rand(1, 1025, 20)], speaker_vectors=vectors)
        assert wave.shape == (1, 1, 4 * network.config.frames_per_code * 640)
        assert bool(header.quantizer_id) == (network.config.frames_per_code == 2)


def test_the_wider_set_has_the_same_names_and_shapes(shared: Path) -> None:
    first, more = (shared / "golden" / name / "manifests" for name in ("nn", "nn_more"))
    for path in more.glob("*.json"):
        twin = first / path.name.replace("s2d_v1v2", "s2d_v1_v2")
        ours, theirs = (json.loads(p.read_text(encoding="utf-8")) for p in (twin, path))
        assert {k: v[0] for k, v in ours.items()} == {k: v[0] for k, v in theirs.items()}
