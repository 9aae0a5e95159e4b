"""The import command as a user runs it: bad files cost neither time nor memory, pairs must fit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from GPT_SoVITS.checkpoints.commands import import_checkpoint
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


@pytest.mark.parametrize("kind", ["attack", "bomb", "text", "truncated"])
def test_a_hostile_file_is_refused_before_torch_is_loaded(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.pth"
    if kind == "attack":
        save(path, {"weight": {}, "config": Attack(tmp_path / "PWNED")}, b"05")
    elif kind == "bomb":
        deflated(path)
    else:
        path.write_bytes(b"<html>404</html>" if kind == "text" else b"PK\x03\x04" + b"x" * 999)
    started = time.perf_counter()
    command = [sys.executable, "-c", RUN, str(path), str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 1.0
    code, peak_mb, torch_loaded = run.stdout.split()
    assert code == "2" and torch_loaded == "False" and int(peak_mb) < 100
    assert "bad.pth" in run.stderr
    assert not (tmp_path / "PWNED").exists() and not (tmp_path / "out").exists()


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
