"""Forms become the package's own commands, word by word; the commands understand them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from GPT_SoVITS.evaluation.asr.transcribe import build_parser as transcribe_parser
from GPT_SoVITS.evaluation.loop.config import EvaluateConfig
from GPT_SoVITS.studio import commands
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.evaluations import model_names


def test_settings_are_lines_of_names_and_values():
    text = "# a comment\n\ntrainer.log_every: 5\n--optimizer.lr = 0.1\nlora.targets: [a, b]\n"
    assert commands.settings_of(text) == {
        "trainer.log_every": "5",
        "optimizer.lr": "0.1",
        "lora.targets": "[a, b]",
    }


@pytest.mark.parametrize("line", ["no value", "a b: 1", "x:", "--config: x", "run.folder=/etc"])
def test_a_line_that_is_no_setting_is_refused_with_its_number(line: str):
    with pytest.raises(StudioError, match="line 2"):
        commands.settings_of(f"trainer.log_every: 1\n{line}")


@pytest.mark.parametrize("source", ["data", "manifest"])
def test_the_evaluate_command_understands_the_form(source: str):
    words = commands.evaluate(
        {"a b": Path("runs/a b/talker"), "中": Path("runs/中")},
        output=Path("runs/evaluate/x y"),
        data=Path("data/demo") if source == "data" else None,
        manifest=Path("data/m.csv") if source == "manifest" else None,
        recognizers=[{"engine": "phones", "language": "auto", "model": "runs/p.safetensors"}],
        most=7,
    )
    parser = ArgumentParser()
    parser.add_class_arguments(EvaluateConfig)
    config = EvaluateConfig(**vars(parser.instantiate(parser.parse_args(words[4:]))))
    assert config.models == {"a b": "runs/a b/talker", "中": "runs/中"}
    assert (config.source.data, config.source.manifest) == (
        ("data/demo", "") if source == "data" else ("", "data/m.csv")
    )
    assert config.source.max_items == 7 and config.output == "runs/evaluate/x y"
    assert config.recognizers[0].model == "runs/p.safetensors"
    assert config.recorded and not config.resynthesis and config.on_failure == "count"


def test_the_transcribe_command_understands_the_form():
    words = commands.transcribe(
        [Path("data/a b"), Path("data/c")],
        output=Path("data/m.jsonl"),
        engine="funasr",
        model=Path("runs/model"),
        language="zh",
        speaker="--anna",
    )
    args = transcribe_parser().parse_args(words[4:])
    assert args.recordings == [Path("data/a b"), Path("data/c")]
    assert (args.engine, args.model, args.speaker) == ("funasr", "runs/model", "--anna")


def test_every_model_gets_a_name_of_its_own():
    folders = [Path("runs/a/talker"), Path("old/a/talker"), Path("recorded"), Path("runs/a/talker")]
    assert list(model_names(folders)) == ["a", "a_2", "recorded_2"]
