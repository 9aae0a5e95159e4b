"""The command that checks a folder of vectors says what it found, and cannot pass by silence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from tests.check_vectors import main

NAME = "s1_small_a_dialogue"


@pytest.fixture()
def folder(shared: Path, tmp_path: Path) -> Path:
    """A folder like golden/nn with one file of vectors."""
    source = shared / "golden" / "nn"
    for name in ("recipe.py", "manifests/s1_small_a.json", f"vectors/{NAME}.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / name, tmp_path / name)
    return tmp_path


def edited(folder: Path, name: str, value: torch.Tensor) -> None:
    path = folder / "vectors" / f"{NAME}.safetensors"
    with safe_open(str(path), "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        meta = file.metadata()
    tensors[name] = value
    save_file(tensors, path, metadata=meta)


def test_all_met_is_exit_code_zero_and_a_last_line(folder: Path, capsys) -> None:
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 files, 2 tensors: 2 pass, 0 miss"
    assert all("pass" in line and "limit" in line for line in lines[:-1])


def test_one_number_off_is_a_miss(folder: Path, capsys) -> None:
    edited(folder, "out/logits_causal", torch.zeros(1, 14, 1025))
    assert main([str(folder)]) == 1
    assert "1 pass, 1 miss" in capsys.readouterr().out.splitlines()[-1]


def test_a_tensor_nobody_computes_and_a_check_that_fails_are_misses(folder: Path, capsys) -> None:
    edited(folder, "out/surprise", torch.zeros(2))
    assert main([str(folder)]) == 1
    assert "not computed" in capsys.readouterr().out
    (folder / "manifests" / "s1_small_a.json").unlink()
    assert main([str(folder)]) == 1
    assert "FileNotFoundError" in capsys.readouterr().out


def test_a_folder_without_vectors_is_an_error(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path)]) == 2
    assert "no vectors" in capsys.readouterr().err
