"""The import command as a user runs it: bad files cost neither time nor memory, pairs must fit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.commands import import_checkpoint
from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES, s1_shapes
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.checkpoints.published_shapes import shapes_of
from GPT_SoVITS.checkpoints.rename import renamed
from tests.checkpoints.test_legacy import Attack, save

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from pathlib import Path
from GPT_SoVITS.__main__ import main
code = 0
for path in sys.argv[2:]:
    code = main(["import-checkpoint", path, "--output", sys.argv[1]])
    status = Path("/proc/self/status")  # Linux only
    lines = status.read_text().splitlines() if status.exists() else []
    peak = sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
    print(code, peak, "torch" in sys.modules)
"""


def run_apart(output: Path, paths: Sequence[Path]) -> tuple[list[tuple[str, int, str]], str]:
    """One process that imports them in turn: (exit code, peak MiB, torch loaded?) and stderr."""
    command = [sys.executable, "-c", RUN, str(output), *map(str, paths)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    rows = [line.split() for line in run.stdout.splitlines()]
    return [(code, int(peak), torch_loaded) for code, peak, torch_loaded in rows], run.stderr


def test_every_bad_file_is_refused_before_torch_is_loaded(shared: Path, tmp_path: Path) -> None:
    """What takes longest is loading torch: without it a refusal is a fraction of a second."""
    script = shared / "golden" / "nn" / "make_published_files.py"
    folder = tmp_path / "published"
    command = [sys.executable, str(script), str(folder), "--bad", "--only"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    save(folder / "bad_pk.pth", {"weight": {}, "config": Attack(tmp_path / "PWNED")}, b"06")
    save(folder / "bad_numbers.pth", whole_numbers())
    save(folder / "bad_synthesiser.pth", {"weight": synthesiser()})
    heads = {"model": dict(HEADLESS, head=7)}
    save(folder / "bad_heads.ckpt", {"weight": small_gpt(), "config": heads})
    (folder / "bad_folder.ckpt").mkdir()
    bad = sorted(folder.glob("bad_*"))
    assert len(bad) >= 17
    rows, said = run_apart(tmp_path / "out", bad)
    assert [row[0] for row in rows] == ["2"] * len(bad)
    assert {row[2] for row in rows} == {"False"} and max(row[1] for row in rows) < 100
    lines = said.splitlines()
    assert all(path.name in line for path, line in zip(bad, lines, strict=True))
    assert not list(tmp_path.rglob("PWNED")) and not (tmp_path / "out").exists()


HEADLESS = {"hidden_dim": 64, "n_layer": 1, "vocab_size": 1025, "phoneme_vocab_size": 732}
HEADLESS |= {"embedding_dim": 64, "dropout": 0, "EOS": 1024}


def small_gpt() -> dict[str, Any]:
    """Every tensor of a one-layer s1; how many heads it has, they do not say."""
    return {f"model.{name}": torch.zeros(shape) for name, shape in s1_shapes(HEADLESS).items()}


def synthesiser() -> dict[str, Any]:
    """An exported v2 in which one tensor is missing and another too many."""
    shapes = {n: s for n, s in shapes_of("s2 v2").items() if not n.startswith("enc_q.")}
    del shapes["dec.conv_post.weight"]
    shapes["dec.surprise.weight"] = (1,)
    return {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}


def whole_numbers() -> dict[str, Any]:
    """A speaker network whose weights are no floating-point numbers."""
    names = ("conv1.weight", "layer1.0.convs.0.weight")
    return {name: torch.zeros(3, dtype=torch.int64) for name in names}


CONFIGS = [
    ({"train": {"lr": float("nan")}}, "more than texts and finite numbers"),
    ({"train": {"x": torch.zeros(2)}}, "more than texts and finite numbers"),
    ([1], "its config is a list"),
    ({"model": {"n_layer": 10**9}}, "beyond what the file holds"),
    ({"model": {"head": 0}}, "n_head is 0"),
    ({"model": {"head": 7}}, "multiple of n_head 7"),
]


@pytest.mark.parametrize(("change", "said"), CONFIGS)
def test_a_config_that_cannot_be_is_refused(
    shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Any, said: str
) -> None:
    content = read_legacy(shared / "golden" / "nn_more" / "ckpt" / "s1_v2.ckpt").content
    config: Any = content["config"]
    if isinstance(change, dict):
        changed = {name: dict(config.get(name, {})) | new for name, new in change.items()}
        config = dict(config) | changed
    else:
        config = change
    path = save(tmp_path / "bad.ckpt", dict(content) | {"config": config})
    assert import_checkpoint([str(path), "--output", str(tmp_path / "out")]) == 2
    assert said in caplog.text and "bad.ckpt" in caplog.text


@pytest.mark.parametrize("name", ["s1_small_a", "s1_small_b", "s1_small_c", "s1_v1", "s1_v2"])
def test_shapes_known_without_torch_are_those_of_the_network(shared: Path, name: str) -> None:
    table = json.loads((shared / f"golden/nn/manifests/{name}.json").read_text(encoding="utf-8"))
    published = {key.removeprefix("model."): tuple(shape) for key, (shape, _) in table.items()}
    rows, dim = published["ar_text_embedding.word_embeddings.weight"]
    layers = len([key for key in published if key.endswith("linear1.bias")])
    config = {"hidden_dim": dim, "n_head": 1, "n_layer": layers, "vocab_size": 1025}
    config["phoneme_vocab_size"] = rows
    assert s1_shapes(config) == published
    ours = renamed(published, S1_NAMES, path="x")
    assert ours == expected_shapes("s1", config, path="x")


def test_feature_folders_are_noted_relative_to_the_talker(shared: Path, tmp_path: Path) -> None:
    hubert = tmp_path / "chinese-hubert-base"
    hubert.mkdir()
    source = shared / "golden" / "nn_more" / "ckpt" / "s1_v2.ckpt"
    command = [str(source), "--output", str(tmp_path / "base"), "--hubert", str(hubert)]
    assert import_checkpoint(command) == 2  # no config.json in it
    assert not (tmp_path / "base").exists()
    (hubert / "config.json").write_text("{}", encoding="utf-8")
    assert import_checkpoint(command) == 0
    settings = json.loads((tmp_path / "base" / "talker.json").read_text(encoding="utf-8"))
    assert settings["hubert"] == "../chinese-hubert-base"
