"""Ctrl-C and SIGTERM: the step under way ends, its state is written, and nothing is done twice."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from GPT_SoVITS.training import fit, train_s1, train_s2
from GPT_SoVITS.training.command import INTERRUPTED, run
from GPT_SoVITS.training.progress import steps_done
from tests.training.tiny import arguments

STEPS, ASKED_AT = 5, 3


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["s1", "s2"])
def test_a_training_asked_to_stop_goes_on_from_that_very_step(
    name: str, asked: signal.Signals, prepared_demo: Path, tmp_path: Path, monkeypatch, caplog
):
    train = {"s1": train_s1, "s2": train_s2}[name].main

    class Asks(fit.MetricsFile):
        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            super().on_train_batch_end(trainer, *rest)
            if steps_done(trainer) == ASKED_AT:
                signal.raise_signal(asked)

    folders = {"whole": tmp_path / "whole", "stopped": tmp_path / "stopped"}
    commands = {k: arguments(name, prepared_demo, f, STEPS) for k, f in folders.items()}
    assert run(partial(train, commands["whole"])) == 0
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patch:
        patch.setattr(fit, "MetricsFile", Asks)
        assert run(partial(train, commands["stopped"])) == INTERRUPTED
    assert f"stopped at step {ASKED_AT}; the same command goes on from there" in caplog.text
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    checkpoints = folders["stopped"] / name / "checkpoints"
    assert (checkpoints / f"step={ASKED_AT:08d}.ckpt").is_file()
    assert not (folders["stopped"] / "talker" / f"{name}.safetensors").exists()

    assert run(partial(train, commands["stopped"])) == 0
    for file in (f"talker/{name}.safetensors", f"{name}/metrics.jsonl"):
        assert _content(folders["whole"] / file) == _content(folders["stopped"] / file)


def _content(path: Path) -> Any:
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [{k: v for k, v in row.items() if not k.endswith("/s")} for row in rows]
    return path.read_bytes()
