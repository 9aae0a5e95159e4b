"""Checkpoints: damage is seen, two are kept, a folder that cannot be written is an error."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy

from GPT_SoVITS.training import fit, train_s1, train_s2
from GPT_SoVITS.training.checkpointing import AtomicCheckpointIO, CheckpointFault, newest
from tests.training.tiny import arguments


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


def test_where_all_are_damaged_training_does_not_begin_anew_unasked(tmp_path: Path):
    for path in (save(tmp_path, 3), save(tmp_path, 10)):
        path.write_bytes(b"half")
    with pytest.raises(CheckpointFault, match="all 2 checkpoints are damaged.*--resume never"):
        newest(tmp_path)


def steps(folder: Path) -> list[int]:
    return sorted(int(p.stem.split("=")[1]) for p in folder.glob("*.ckpt"))


@pytest.mark.parametrize(("resume", "kept"), [("never", [2, 3]), ("4", [5, 6])])
def test_checkpoints_of_a_run_left_behind_make_way(
    resume: str, kept: list[int], prepared_demo: Path, tmp_path: Path
):
    """Begun anew or gone back in: the old run's last checkpoint must not be this run's newest."""
    folder = tmp_path / "s1" / "checkpoints"
    command = arguments("s1", prepared_demo, tmp_path, 8)
    train_s1.main([*command, "--trainer.save_every=4"])
    assert steps(folder) == [4, 8]
    (folder / ".step=00000012.ckpt.killed").write_bytes(b"half")
    place = f"{folder}/step=00000004.ckpt" if resume == "4" else resume
    again = [*arguments("s1", prepared_demo, tmp_path, kept[-1]), "--trainer.save_every=1"]
    train_s1.main([*again, f"--resume={place}"])
    assert steps(folder) == kept and newest(folder) == folder / f"step={kept[-1]:08d}.ckpt"
    assert steps(folder / "earlier") == ([4, 8] if resume == "never" else [8])
    assert newest(folder / "earlier") == folder / "earlier" / "step=00000008.ckpt"
    assert not list(folder.glob(".step*"))


@pytest.mark.parametrize("stage", ["s1", "s2"])
@pytest.mark.parametrize("steps", [2, 4], ids=["finished", "to go on"])
def test_a_checkpoint_of_another_network_is_refused_with_a_sentence(
    stage: str, steps: int, prepared_demo: Path, tmp_path: Path
):
    main = {"s1": train_s1.main, "s2": train_s2.main}[stage]
    main(arguments(stage, prepared_demo, tmp_path, 2))
    wider = {"s1": "--model.hidden_dim=32", "s2": "--model.gin_channels=32"}[stage]
    with pytest.raises(CheckpointFault, match="another network.*there.*here.*--resume never"):
        main([*arguments(stage, prepared_demo, tmp_path, steps), wider])


class ReadsTheWeightsItself(SingleDeviceStrategy):
    """As FSDP does: what the module is then shown holds them no more."""

    def load_checkpoint(self, *given: Any, **more: Any) -> dict[str, Any]:
        checkpoint: dict[str, Any] = super().load_checkpoint(*given, **more)
        self.lightning_module.load_state_dict(checkpoint.pop("state_dict"))
        return checkpoint

    def load_model_state_dict(self, *given: Any, **more: Any) -> None:
        pass


def test_a_run_whose_weights_the_strategy_reads_is_resumed(
    prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cosine = "--optimizer.warmup_steps=100"  # its rate does not depend on the run's length
    whole = train_s1.main([*arguments("s1", prepared_demo, tmp_path / "w", 4), cosine])
    train_s1.main([*arguments("s1", prepared_demo, tmp_path / "cut", 2), cosine])
    monkeypatch.setattr(fit, "strategy_of", lambda *given: ReadsTheWeightsItself("cpu"))
    cut = train_s1.main([*arguments("s1", prepared_demo, tmp_path / "cut", 4), cosine])
    assert cut.read_bytes() == whole.read_bytes()


def test_a_half_written_file_is_never_the_newest(tmp_path: Path):
    older = save(tmp_path, 3)
    (tmp_path / "step=00000009.ckpt").write_bytes(b"half")
    assert newest(tmp_path) == older


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CheckpointFault, match="could not be written"):
        save(tmp_path / "file", 1)


@pytest.mark.parametrize(
    ("name", "code"), [("fsync", errno.ENOSPC), ("replace", errno.EROFS), ("fdopen", errno.EACCES)]
)
def test_a_full_disk_or_a_read_only_one_is_an_error_and_the_last_state_stays(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    older = save(tmp_path, 3)

    def fails(*rest: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(f"GPT_SoVITS.training.checkpointing.os.{name}", fails)
        with pytest.raises(CheckpointFault, match="could not be written.*then resume"):
            save(tmp_path, 4)
    assert newest(tmp_path) == older
    assert AtomicCheckpointIO().load_checkpoint(older)["step"] == 3
    assert not list(tmp_path.glob(".*.ckpt.*")), "no half file is left"


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_training_whose_folder_is_read_only_raises(
    stage: str, prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def read_only(*rest: Any, **more: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("GPT_SoVITS.training.checkpointing.tempfile.mkstemp", read_only)
    main = {"s1": train_s1.main, "s2": train_s2.main}[stage]
    with pytest.raises(CheckpointFault, match="Read-only"):
        main(arguments(stage, prepared_demo, tmp_path, 3))
    assert not (tmp_path / "talker").exists()
