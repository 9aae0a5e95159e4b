"""Every page holds: links lead somewhere, blocks say what they are, commands and programs run."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
import yaml

from tests import workshop as workshop_builder
from tests.conftest import REPOSITORY
from tests.documents import LANGUAGES, Block, anchors, blocks, links, pages, shown
from tests.workshop import run

PAGES = pages(REPOSITORY)
BLOCKS = [block for page in PAGES for block in blocks(page)]
# Commands that are not run here, by their first words, and who runs them instead.
ELSEWHERE = {
    ("make",): ".ci/run calls every target",
    ("bash", ".ci/run"): "this is what runs these tests",
    ("source",): "opens the environment that `make install` made",
    ("git", "clone"): "needs the network",
    ("pip",): "`make install` does it; tests/test_packaging.py compares the names",
    ("python", "-m", "GPT_SoVITS", "studio"): "tests/studio starts it, and it runs until stopped",
    ("python", "-m", "GPT_SoVITS", "serve"): "tests/server/test_steady.py starts and stops it",
    ("python", "-m", "supply_chain.audit"): "tests/test_supply_chain.py asks it of made databases",
    ("python", "pretrained_models/download.py"): "tests/pretrained_models serves files to it",
}


def name(block: Block) -> str:
    return f"{block.path.relative_to(REPOSITORY)}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path):
    for target in links(page):
        if target.startswith(("https://", "mailto:")):
            continue
        place, _, anchor = target.partition("#")
        path = (page.parent / place).resolve() if place else page
        assert path.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(path), f"{page.name}: {target}"


@pytest.mark.parametrize("block", BLOCKS, ids=name)
def test_blocks_say_what_they_are(block: Block):
    assert block.language in LANGUAGES
    if block.language == "json":
        json.loads(block.content)
    if block.language == "yaml":
        yaml.safe_load(block.content)
    if block.language == "python":
        compile(block.content, name(block), "exec")
    if block.language == "bash":
        assert block.commands(), "no command in it"


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are typed."""
    return workshop_builder.build(tmp_path_factory.mktemp("workshop"))


def run_elsewhere(command: list[str]) -> bool:
    return any(tuple(command[: len(start)]) == start for start in ELSEWHERE)


SHOWN = [block for page in PAGES for block in shown(page)]


def test_commands_that_are_only_shown_are_found():
    words = [block.commands()[0] for block in SHOWN]
    assert ["python", "-m", "prepare_datasets.raw_recordings"] in [w[:3] for w in words]
    assert {command[0] for command in words} <= {"python"}


def help_of(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `--help` prints, in this process: torch takes seconds to load anew."""
    is_module = command[1] == "-m"
    program, *words = command[2 if is_module else 1 :]
    monkeypatch.setattr(sys, "argv", [program, *words[: program == "GPT_SoVITS"], "--help"])
    with pytest.raises(SystemExit) as end:
        if is_module:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(str(REPOSITORY / program), run_name="__main__")
    assert not end.value.code, command
    return capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("block", SHOWN, ids=name)
def test_commands_that_are_only_shown_exist_with_their_options(
    block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Nobody has the data they need; the program and every option are real all the same."""
    command = block.commands()[0]
    if command[2] == "pytest":
        assert all((REPOSITORY / path).exists() for path in command[3:])
        return
    said = help_of(command, monkeypatch, capsys)
    for option in (word.split("=")[0] for word in command if word.startswith("--")):
        assert option in said, f"{' '.join(command[:4])}: no {option}"


RUN = [b for b in BLOCKS if b.language in ("bash", "python")]


@pytest.fixture(scope="session")
def ran() -> set[tuple[str, ...]]:
    """What has been run: most of it stands on several pages, and in two languages."""
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=name)
def test_commands_and_programs_run(block: Block, workshop: Path, ran: set[tuple[str, ...]]):
    if block.language == "python" and (block.content,) not in ran:
        program = workshop / "program.py"
        program.write_text(block.content, encoding="utf-8")
        run(["python", "program.py"], workshop)
        ran.add((block.content,))
    for command in block.commands() if block.language == "bash" else ():
        if not run_elsewhere(command) and tuple(command) not in ran:
            assert command[0] == "python", f"{command[0]}: run by nobody; name it in ELSEWHERE"
            run(command, workshop)
            ran.add(tuple(command))
