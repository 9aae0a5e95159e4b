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

STEPS, VALIDATES_EVERY = 5, 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
TRAINS = {"s1": train_s1.main, "s2": train_s2.main}


def asks_at(step: int, asked: signal.Signals) -> type[fit.MetricsFile]:
    """A metrics file that sends the signal while `step` is under way."""

    class Asks(fit.MetricsFile):
        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            super().on_train_batch_end(trainer, *rest)
            if steps_done(trainer) == step:
                signal.raise_signal(asked)

    return Asks


@pytest.mark.parametrize("at", [2, 3])  # a validation follows the second step, none the third
@pytest.mark.parametrize("asked", SIGNALS)
@pytest.mark.parametrize("name", ["s1", "s2"])
def test_a_training_asked_to_stop_goes_on_from_that_very_step(
    name: str,
    asked: signal.Signals,
    at: int,
    prepared_demo: Path,
    tmp_path: Path,
    monkeypatch,
    caplog,
):
    before = [signal.getsignal(one) for one in SIGNALS]
    folders = {"whole": tmp_path / "whole", "stopped": tmp_path / "stopped"}
    commands = {
        key: [
            *arguments(name, prepared_demo, folder, STEPS),
            f"--trainer.validate_every={VALIDATES_EVERY}",
        ]
        for key, folder in folders.items()
    }
    assert run(partial(TRAINS[name], commands["whole"])) == 0
    with monkeypatch.context() as patch:
        patch.setattr(fit, "MetricsFile", asks_at(at, asked))
        assert run(partial(TRAINS[name], commands["stopped"])) == INTERRUPTED
    assert f"stopped at step {at}; the same command goes on from there" in caplog.text
    assert [signal.getsignal(one) for one in SIGNALS] == before
    assert (folders["stopped"] / name / "checkpoints" / f"step={at:08d}.ckpt").is_file()
    assert not (folders["stopped"] / "talker" / f"{name}.safetensors").exists()

    assert run(partial(TRAINS[name], commands["stopped"])) == 0
    for file in (f"talker/{name}.safetensors", f"{name}/metrics.jsonl"):
        assert _content(folders["whole"] / file) == _content(folders["stopped"] / file)


def test_asked_in_the_last_step_it_simply_ends(prepared_demo: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(fit, "MetricsFile", asks_at(STEPS, signal.SIGTERM))
    assert run(partial(train_s1.main, arguments("s1", prepared_demo, tmp_path, STEPS))) == 0
    assert (tmp_path / "talker" / "s1.safetensors").is_file()
    rows = [json.loads(line) for line in (tmp_path / "s1" / "metrics.jsonl").open()]
    assert "valid/loss" in rows[-1] and rows[-1]["step"] == STEPS


def test_the_second_signal_is_not_for_us(prepared_demo: Path, tmp_path: Path, monkeypatch):
    """It meets whoever listened before the training began."""
    heard = []
    outer = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))

    class Asks(asks_at(3, signal.SIGTERM)):  # type: ignore[misc]
        def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
            super().on_train_batch_end(trainer, *rest)
            if steps_done(trainer) == 3:
                assert heard == []
                signal.raise_signal(signal.SIGTERM)

    try:
        monkeypatch.setattr(fit, "MetricsFile", Asks)
        command = arguments("s1", prepared_demo, tmp_path, STEPS)
        assert run(partial(train_s1.main, command)) == INTERRUPTED
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, outer)


def _content(path: Path) -> Any:
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return [{k: v for k, v in row.items() if not k.endswith("/s")} for row in rows]
    return path.read_bytes()
