"""Every YAML under configs/ begins with its command and is accepted by that command."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training.fit import parse

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
# The command each folder of configs belongs to; `--print_config` only parses and prints.
COMMANDS = {
    "data": ["-m", "prepare_datasets"],
    "s1": ["train_s1.py"],
    "s2": ["train_s2.py"],
    "evaluate": ["-m", "GPT_SoVITS", "evaluate"],
    "benchmark": ["-m", "GPT_SoVITS", "benchmark"],
    "paper": ["-m", "GPT_SoVITS", "paper"],
    "listening": ["-m", "GPT_SoVITS.evaluation.listening.sheets"],
    "serve.yaml": ["-m", "GPT_SoVITS", "serve"],
}
IDS = [str(path.relative_to(ROOT)) for path in CONFIGS]


def command_of(config: Path) -> list[str]:
    """The command that reads this config, by the folder it lies in."""
    return COMMANDS[config.relative_to(ROOT / "configs").parts[0]]


def main_of(config: Path) -> Callable[[list[str]], object]:
    """What that command runs: in this process, since torch takes seconds to load anew."""
    kind = config.relative_to(ROOT / "configs").parts[0]
    homes = {
        "data": "prepare_datasets.command",
        "evaluate": "GPT_SoVITS.evaluation.loop.run",
        "benchmark": "GPT_SoVITS.evaluation.benchmark.run",
        "paper": "GPT_SoVITS.evaluation.paper.run",
        "listening": "GPT_SoVITS.evaluation.listening.sheets",
        "serve.yaml": "GPT_SoVITS.server.command",
    }
    home = homes.get(kind, f"GPT_SoVITS.training.train_{kind}")
    return importlib.import_module(home).main


def test_there_are_configs():
    assert CONFIGS


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_config_starts_with_the_command_that_runs_it(config: Path):
    lines = config.read_text(encoding="utf-8").splitlines()
    head = "\n".join(line for line in lines[:12] if line.startswith("#"))
    assert lines[0].startswith("#")
    command = " ".join(command_of(config))
    name = str(config.relative_to(ROOT))
    assert re.search(rf"python {re.escape(command)} .*--config {re.escape(name)}", head), head


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_config_is_accepted_by_its_command(config: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main_of(config)(["--config", str(config), "--print_config"])
    printed = capsys.readouterr()
    assert end.value.code == 0, printed.err[-3000:]
    understood = yaml.safe_load(printed.out)
    assert isinstance(understood, dict) and understood


NETWORKS = [path for path in CONFIGS if path.relative_to(ROOT / "configs").parts[0] in ("s1", "s2")]


@pytest.mark.parametrize("config", NETWORKS, ids=[str(path.relative_to(ROOT)) for path in NETWORKS])
def test_the_network_of_a_training_config_is_built(config: Path):
    """On the meta device: every size fits every other, and no memory is taken."""
    kind = config.relative_to(ROOT / "configs").parts[0]
    groups = importlib.import_module(f"GPT_SoVITS.training.train_{kind}").GROUPS
    model = parse("", groups, ["--config", str(config)]).model
    with torch.device("meta"):
        network = SemanticGPT(model) if kind == "s1" else ConversationalVITS(model)
    assert sum(p.numel() for p in network.parameters()) > 100_000
    assert {p.device.type for p in network.parameters()} == {"meta"}


@pytest.mark.parametrize("folder", sorted(COMMANDS))
def test_an_unknown_key_is_refused(folder: str, capsys: pytest.CaptureFixture[str]):
    configs = [path for path in CONFIGS if path.relative_to(ROOT / "configs").parts[0] == folder]
    assert configs, f"no configs/{folder} yet"
    with pytest.raises(SystemExit) as end:
        main_of(configs[0])(["--config", str(configs[0]), "--no_such_key_at_all", "1"])
    assert end.value.code not in (0, None)
    assert "no_such_key_at_all" in capsys.readouterr().err
