"""The small examples and the notebook run as they are, on a tiny talker."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nbformat
import pytest
import soundfile
from nbclient import NotebookClient

from examples import session, speak, stream
from GPT_SoVITS.audio.io import save_audio
from tests.conftest import REPOSITORY
from tests.tiny_talker import voice, write_tiny_talker

NOTEBOOKS = sorted((REPOSITORY / "examples").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `make demo` was run: a talker and a dialogue in their places."""
    root = tmp_path_factory.mktemp("examples")
    run = root / "runs" / "demo"
    run.mkdir(parents=True)
    write_tiny_talker(run, options={"max_seconds": 0.8})
    for name, pitch in (("q", 140), ("a", 210)):
        save_audio(run / f"{name}.wav", voice(pitch, 0.8))
    turns = [
        {"speaker": "anna", "text": "Hello.", "audio": "a.wav"},
        {"speaker": "bert", "text": "Where is it?", "audio": "q.wav"},
    ]
    response = {"speaker": "anna", "text": "Over there."}
    written = json.dumps({"schema_version": 1, "turns": turns, "response": response})
    (run / "dialogue.json").write_text(written, encoding="utf-8")
    return root


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_speak_writes_what_the_seed_says(there: Path):
    first = speak.main(["--speaker", "anna"]).read_bytes()
    assert first == speak.main(["--speaker", "anna"]).read_bytes()
    assert soundfile.info("runs/examples/speak.wav").samplerate == 32_000


def test_stream_writes_every_chunk(there: Path):
    times = stream.main(["--speaker", "anna"])
    assert times == sorted(times)
    assert soundfile.info("runs/examples/stream.wav").frames > 0


def test_session_forks_into_heard_and_read(there: Path):
    files = session.main([])
    assert [file.name for file in files] == ["heard.wav", "read.wav"]
    assert all(soundfile.info(str(file)).frames > 0 for file in files)


def test_there_is_a_notebook_without_outputs():
    assert NOTEBOOKS
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(
    path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
):
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), before]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=200, kernel_name="python3").execute(cwd=str(there))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    said = [out.get("text", "") for cell in code for out in cell.outputs]
    assert "anna: Over there." in "".join(said)
    assert any("image/png" in out.get("data", {}) for out in code[-2].outputs)
