"""Published s1 files through the commands: imported, run, exported again; bad ones refused.

The files are written by the reference script beside the checkout, in a subprocess, as the published
programs write them.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from GPT_SoVITS.checkpoints import CheckpointError, load_s1, load_s2, save_model
from GPT_SoVITS.checkpoints.commands import export_checkpoint, import_checkpoint
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT


@pytest.fixture(scope="module")
def files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    script = shared / "golden" / "nn" / "make_published_files.py"
    names = ["s1_small_a", "s1_small_b", "s1_small_c"]
    command = [sys.executable, str(script), str(folder), "--bad", "--only", *names]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


GOOD = [
    f"{name}{ending}"
    for name in ("s1_small_a", "s1_small_b", "s1_small_c")
    for ending in ("-e15.ckpt", "_epoch=14-step=900.ckpt")
]


@pytest.mark.parametrize("name", GOOD)
def test_import_then_export_is_the_identity(files: Path, tmp_path: Path, name: str) -> None:
    assert import_checkpoint([str(files / name), "--output", str(tmp_path / "talker")]) == 0
    out = tmp_path / "back.ckpt"
    ours = tmp_path / "talker" / "s1.safetensors"
    assert export_checkpoint([str(ours), "--output", str(out)]) == 0
    before, after = read_legacy(files / name).content, read_legacy(out).content
    weights = before.get("weight") or before["state_dict"]
    assert set(weights) == set(after["weight"])
    for key, value in weights.items():
        assert value.dtype == after["weight"][key].dtype
        assert torch.equal(value, after["weight"][key]), key
    config = before.get("config") or before["hyper_parameters"]["config"]
    assert after["config"]["model"] == config["model"]
    assert after["config"]["train"] == config["train"]


@pytest.mark.parametrize("name", GOOD[:2])
def test_local_paths_do_not_travel(files: Path, tmp_path: Path, name: str) -> None:
    import_checkpoint([str(files / name), "--output", str(tmp_path)])
    export_checkpoint([str(tmp_path), "--output", str(tmp_path / "x"), "--dtype", "float16"])
    for path in (tmp_path / "s1.safetensors", tmp_path / "x" / "s1.ckpt"):
        data = path.read_bytes()
        assert b"someone" not in data and str(files).encode() not in data


def test_files_of_the_published_save_code_give_the_expected_logits(
    shared: Path, tmp_path: Path
) -> None:
    for name in ("s1_v1", "s1_v2"):
        folder = shared / "golden" / "nn_more" / "ckpt"
        assert (
            import_checkpoint([str(folder / f"{name}.ckpt"), "--output", str(tmp_path / name)]) == 0
        )
        model, header = load_s1(tmp_path / name / "s1.safetensors")
        assert header.symbols == name.removeprefix("s1_")
        with safe_open(str(folder / f"{name}.expected.safetensors"), framework="np") as file:
            phones, codes = file.get_tensor("in/phones")[0], file.get_tensor("in/codes")[0]
            bert, expected = file.get_tensor("in/bert")[0].T, file.get_tensor("out/logits")[0]
        turn = EncodedTurn("agent", phones, codes, np.ascontiguousarray(bert, dtype=np.float32))
        columns = build_sequence([], turn, LayoutConfig()).columns()
        with torch.inference_mode():
            logits = model(collate([columns]))[0, len(phones) - 1 :]
        scale = float(np.abs(expected).max())
        assert float((logits - torch.from_numpy(expected)).abs().max()) <= 1e-5 * scale


def test_a_refused_file_leaves_nothing_of_the_others(files: Path, tmp_path: Path) -> None:
    pair = [str(files / GOOD[0]), str(files / "bad_truncated.ckpt")]
    assert import_checkpoint([*pair, "--output", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_the_header_says_what_the_file_was(files: Path, tmp_path: Path) -> None:
    import_checkpoint([str(files / GOOD[0]), "--output", str(tmp_path)])
    _, header = load_s1(tmp_path / "s1.safetensors")
    assert "exported s1 v1" in header.source and "sha256" in header.source
    assert header.licence
    assert json.loads(json.dumps(header.to_json()))["config"]["n_head"] == 4


def test_a_published_file_loads_without_being_imported_first(files: Path) -> None:
    model, header = load_s1(files / GOOD[0])
    assert not model.training and header.config["n_layer"] == 3
    with pytest.raises(CheckpointError, match="holds an s1 model where s2 is wanted"):
        load_s2(files / GOOD[0])


def test_a_model_trained_here_leaves_as_the_half_file_others_load(tmp_path: Path) -> None:
    """295 tensors for 24 layers, all fp16, a plain config without paths, in a new folder."""
    config = S1Config(hidden_dim=16, n_head=2, n_layer=24, use_roles=True, max_turn_distance=3)
    torch.manual_seed(0)
    model = SemanticGPT(config)
    own = save_model(tmp_path / "s1.safetensors", model, kind="s1", config=config)
    target = tmp_path / "GPT_weights_v2" / "voice-e1.ckpt"
    assert export_checkpoint([str(own), "--output", str(target)]) == 0
    content = torch.load(target, weights_only=True)  # as anyone reads it, without stand-ins
    assert list(content) == ["weight", "config", "info"] and content["info"].startswith("GPT-e")
    weight = content["weight"]
    assert len(weight) == 295 and all(name.startswith("model.") for name in weight)
    assert {value.dtype for value in weight.values()} == {torch.float16}
    sizes = content["config"]["model"]
    assert (sizes["n_layer"], sizes["head"], sizes["EOS"]) == (24, 2, 1024)
    assert content["config"]["data"]["max_sec"] and str(tmp_path) not in str(content["config"])
    back, _ = load_s1(target)
    for name, value in back.state_dict().items():
        assert torch.equal(value, model.state_dict()[name].half().float()), name
