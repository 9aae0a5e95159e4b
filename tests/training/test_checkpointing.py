"""Checkpoints: damage is seen, two are kept, a folder that cannot be written is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from GPT_SoVITS.training.checkpointing import AtomicCheckpointIO, CheckpointFault, newest


def save(folder: Path, step: int) -> Path:
    path = folder / f"step={step:08d}.ckpt"
    AtomicCheckpointIO().save_checkpoint({"step": step, "w": torch.arange(4)}, path)
    return path


def test_round_trip_and_nothing_else_is_left(tmp_path: Path):
    path = save(tmp_path, 3)
    assert AtomicCheckpointIO().load_checkpoint(path)["step"] == 3
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".ckpt", ".sha256"]


def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path: Path):
    older, newer = save(tmp_path, 3), save(tmp_path, 10)
    newer.write_bytes(newer.read_bytes()[:-7])
    assert newest(tmp_path) == older
    with pytest.raises(CheckpointFault, match="damaged"):
        AtomicCheckpointIO().load_checkpoint(newer)


def test_a_half_written_file_is_never_the_newest(tmp_path: Path):
    older = save(tmp_path, 3)
    (tmp_path / "step=00000009.ckpt").write_bytes(b"half")
    assert newest(tmp_path) == older


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointFault, match="could not be written"):
        save(tmp_path / "file", 1)
