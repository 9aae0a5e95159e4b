"""The training scripts refuse with a sentence, and keep the traceback of a fault of ours."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.command import run
from tests.training.tiny import arguments


@pytest.mark.parametrize("stage", [train_s1, train_s2])
def test_data_that_is_not_there_is_named(stage, tmp_path: Path, caplog):
    missing = str(tmp_path / "nowhere")
    assert run(lambda: stage.main(["--data.folder", missing])) == 2
    assert "nowhere" in caplog.text and "prepare_datasets" in caplog.text


@pytest.mark.parametrize("stage", [train_s1, train_s2])
@pytest.mark.parametrize(
    "wrong",
    ["--trainer.max_steps=0", "--trainer.precision=x", "--lora.targets=[atention]", "--batch."],
)
def test_a_wrong_value_is_a_sentence_and_no_traceback(stage, wrong: str, caplog):
    if wrong == "--batch.":
        wrong += {train_s1: "max_columns=0", train_s2: "max_frames=0"}[stage]
    assert run(lambda: stage.main([wrong])) == 2
    assert wrong[2:].split("=")[0] in caplog.text


def test_what_the_machine_lacks_and_what_cannot_go_on_is_a_sentence(
    prepared_demo: Path, tmp_path: Path, caplog
):
    command = arguments("s1", prepared_demo, tmp_path, 2)
    for wrong in ("--trainer.accelerator=cuda", "--trainer.compile=nonsense"):
        if "cuda" not in wrong or not torch.cuda.is_available():
            assert run(partial(train_s1.main, [*command, wrong])) == 2
            assert wrong[2:].replace("=", " is ").split()[0] in caplog.text
    train_s1.main(command)
    longer = arguments("s1", prepared_demo, tmp_path, 4)
    for wrong in ("--optimizer.name=scaled_adam", "--optimizer.lr_ratios={embedding: 2}"):
        caplog.clear()
        assert run(partial(train_s1.main, [*longer, wrong])) == 2
        assert "the checkpoint's optimiser cannot go on" in caplog.text


def test_an_interrupted_training_says_how_to_go_on(caplog):
    def interrupted() -> Path:
        raise KeyboardInterrupt

    assert run(interrupted) == 130
    assert "same command" in caplog.text


def test_a_fault_of_ours_is_not_hidden():
    def faulty() -> Path:
        raise ValueError("shapes differ")

    with pytest.raises(ValueError, match="shapes differ"):
        run(faulty)


def test_a_finished_training_is_a_success(tmp_path: Path):
    assert run(lambda: tmp_path) == 0
