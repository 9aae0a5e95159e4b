"""Every page holds: links lead somewhere, blocks say what they are, commands and programs run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.documents import LANGUAGES, Block, anchors, blocks, links, pages

PAGES = pages(REPOSITORY)
BLOCKS = [block for page in PAGES for block in blocks(page)]
# Commands that are not run here, by their first words, and who runs them instead.
ELSEWHERE = {
    ("make",): ".ci/run calls every target",
    ("bash", ".ci/run"): "this is what runs these tests",
    ("git", "clone"): "needs the network",
    ("pip",): "`make install` does it; tests/test_packaging.py compares the names",
    ("python", "pretrained_models/download.py"): "tests/pretrained_models serves files to it",
}
# Options that make a command small; they win because they come last.
SMALL = {
    "train_s1.py": ["--trainer.max_steps", "2", "--trainer.validate_every", "2"],
    "train_s2.py": ["--trainer.max_steps", "2", "--trainer.validate_every", "2"],
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
    """A checkout's twin with data and runs of its own, where a short `make demo` has been run."""
    folder = tmp_path_factory.mktemp("workshop")
    for entry in REPOSITORY.iterdir():
        if not entry.name.startswith(".") and entry.name not in ("data", "runs", "docs"):
            (folder / entry.name).symlink_to(entry)
    shutil.copytree(REPOSITORY / "docs", folder / "docs")  # some commands write figures there
    corpus = ["python", "-m", "prepare_datasets.demo_corpus", "--output", "data/demo_raw"]
    run([*corpus, "--dialogues", "8"], folder)
    run(["python", "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"], folder)
    for stage in ("s2", "s1"):
        run(["python", f"train_{stage}.py", "--config", f"configs/{stage}/demo.yaml"], folder)
    first = sorted((folder / "data/demo/3_speech/audio").rglob("*.flac"))[0]
    dialogue = {
        "schema_version": 1,
        "turns": [{"speaker": "demo/en_f1", "text": "Hello.", "audio": str(first)}],
        "response": {"speaker": "demo/en_f2", "text": "I will call you before five."},
    }
    (folder / "runs/demo/dialogue.json").write_text(json.dumps(dialogue), encoding="utf-8")
    return folder


def run(command: list[str], folder: Path) -> None:
    """Run one command as the reader would, but small."""
    small = SMALL.get(command[1], []) if "--dry-run" not in command else []
    words = [sys.executable, *command[1:], *small]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, (
        f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    )


def run_elsewhere(command: list[str]) -> bool:
    return any(tuple(command[: len(start)]) == start for start in ELSEWHERE)


RUN = [b for b in BLOCKS if b.language in ("bash", "python")]


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=name)
def test_commands_and_programs_run(block: Block, workshop: Path):
    if block.language == "python":
        program = workshop / "program.py"
        program.write_text(block.content, encoding="utf-8")
        run(["python", "program.py"], workshop)
        return
    for command in block.commands():
        if not run_elsewhere(command):
            assert command[0] == "python", f"{command[0]}: run by nobody; name it in ELSEWHERE"
            run(command, workshop)
