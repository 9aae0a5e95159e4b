"""The import command as a user runs it: bad files cost neither time nor memory, pairs must fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.commands import import_checkpoint
from tests.checkpoints.test_judge import exported_s1
from tests.checkpoints.test_legacy import Attack, deflated, save

RUN = """
import sys
from pathlib import Path
from GPT_SoVITS.__main__ import main
code = main(["import-checkpoint", sys.argv[1], "--output", sys.argv[2]])
status = Path("/proc/self/status")  # Linux only
lines = status.read_text().splitlines() if status.exists() else []
peak = sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
print(code, peak, "torch" in sys.modules)
"""


BROKEN = ["missing_key", "unexpected_key", "wrong_shape", "not_finite"]


@pytest.mark.parametrize("kind", ["attack", "bomb", "text", "truncated", *BROKEN])
def test_a_bad_file_is_refused_before_torch_is_loaded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.pth"
    if kind in BROKEN:
        save(path, broken_s1(kind))
    elif kind == "attack":
        save(path, {"weight": {}, "config": Attack(tmp_path / "PWNED")}, b"05")
    elif kind == "bomb":
        deflated(path)
    else:
        path.write_bytes(b"<html>404</html>" if kind == "text" else b"PK\x03\x04" + b"x" * 999)
    command = [sys.executable, "-c", RUN, str(path), str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    code, peak_mb, torch_loaded = run.stdout.split()
    assert code == "2" and torch_loaded == "False" and int(peak_mb) < 100
    assert "bad.pth" in run.stderr
    assert not (tmp_path / "PWNED").exists() and not (tmp_path / "out").exists()


def broken_s1(kind: str) -> dict[str, Any]:
    """A small exported s1 with one thing wrong."""
    content = exported_s1()
    weight = content["weight"]
    if kind == "missing_key":
        del weight["model.bert_proj.bias"]
    elif kind == "unexpected_key":
        weight["model.surprise.weight"] = torch.zeros(3)
    elif kind == "wrong_shape":
        weight["model.ar_predict_layer.weight"] = torch.zeros(7, 7)
    else:
        weight["model.h.layers.1.norm2.bias"][3] = float("nan")
    return content


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
