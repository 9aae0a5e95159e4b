"""A training that was stopped goes on to the very weights of one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl

from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.checkpointing import SaveEvery
from GPT_SoVITS.training.progress import steps_done
from GPT_SoVITS.training.s1_module import S1Module
from GPT_SoVITS.training.s2_module import S2Module
from tests.training.tiny import arguments

STEPS = 6
STAGES: dict[str, tuple[Callable[[list[str]], Path], type]] = {
    "s1": (train_s1.main, S1Module),
    "s2": (train_s2.main, S2Module),
}


class PowerCut(RuntimeError):
    """Stands for a process that ends without a word."""


def metrics(run: Path, stage: str) -> list[dict]:
    lines = (run / stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_stopped_and_resumed_equals_uninterrupted(
    stage: str,
    prepared_demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    main, module = STAGES[stage]
    whole = main(arguments(stage, prepared_demo, tmp_path / "whole", STEPS))

    step, broken = module.training_step, arguments(stage, prepared_demo, tmp_path / "cut", STEPS)

    def cut(self: object, batch: object, batch_idx: int) -> object:
        if batch_idx == 3:  # one step after a checkpoint: it has to be done again
            raise PowerCut
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(module, "training_step", cut)
        with pytest.raises(PowerCut):
            main(broken)
    assert not (tmp_path / "cut" / "talker" / f"{stage}.safetensors").exists()
    capsys.readouterr()
    resumed = main(broken)
    assert f"{STEPS}/{STEPS} [" in capsys.readouterr().out  # its line knows where it started
    assert resumed.read_bytes() == whole.read_bytes()
    assert metrics(tmp_path / "cut", stage) == metrics(tmp_path / "whole", stage)


def test_killed_between_a_checkpoint_and_what_follows_it_loses_no_line(
    prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A step's line in metrics.jsonl is there before its checkpoint (found by check_resume)."""
    train_s1.main(arguments("s1", prepared_demo, tmp_path / "whole", STEPS))
    broken, save = arguments("s1", prepared_demo, tmp_path / "cut", STEPS), SaveEvery.save

    def cut(self: SaveEvery, trainer: pl.Trainer) -> None:
        save(self, trainer)
        if steps_done(trainer) == 4:
            raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(SaveEvery, "save", cut)
        with pytest.raises(PowerCut):
            train_s1.main(broken)
    train_s1.main(broken)
    assert metrics(tmp_path / "cut", "s1") == metrics(tmp_path / "whole", "s1")


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_finished_run_does_nothing_and_exports_the_same(
    stage: str, prepared_demo: Path, tmp_path: Path
):
    main, _ = STAGES[stage]
    command = arguments(stage, prepared_demo, tmp_path, 2)
    first = main(command).read_bytes()
    before = metrics(tmp_path, stage)
    assert main(command).read_bytes() == first
    assert metrics(tmp_path, stage) == before


def test_a_finished_run_can_be_made_longer(prepared_demo: Path, tmp_path: Path):
    whole = train_s2.main(arguments("s2", prepared_demo, tmp_path / "whole", 5))
    train_s2.main(arguments("s2", prepared_demo, tmp_path / "longer", 3))
    longer = train_s2.main(arguments("s2", prepared_demo, tmp_path / "longer", 5))
    assert longer.read_bytes() == whole.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["s1", "s2"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kill_9_at_a_random_moment(
    stage: str, seed: int, prepared_demo: Path, tmp_path: Path, repository: Path
):
    main, _ = STAGES[stage]
    steps = 40
    whole = main(arguments(stage, prepared_demo, tmp_path / "whole", steps))
    command = [sys.executable, f"train_{stage}.py"]
    command += arguments(stage, prepared_demo, tmp_path / "cut", steps)
    wanted = random.Random(seed).randrange(2, steps - 2)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        command, cwd=repository, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    log, deadline = tmp_path / "cut" / stage / "metrics.jsonl", time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if log.exists() and len(log.read_text().splitlines()) >= wanted:
            break
        time.sleep(0.02)
    assert child.poll() is None, "the training ended before it was killed"
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    resumed = main(arguments(stage, prepared_demo, tmp_path / "cut", steps))
    assert resumed.read_bytes() == whole.read_bytes()
    assert metrics(tmp_path / "cut", stage) == metrics(tmp_path / "whole", stage)
