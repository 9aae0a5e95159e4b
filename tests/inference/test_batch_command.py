"""Rows of a manifest: all spoken, killed and resumed, changed ones anew, wrong ones named."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from GPT_SoVITS.__main__ import main
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.inference.batch import LEDGER, append, read_ledger, read_manifest
from tests.conftest import REPOSITORY

FLAGS = ["--device", "cpu", "--max-seconds", "0.5", "--precision", "fp32"]


def manifest(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"row_{i:02d}", "text": f"Line number {i}.", "speaker": "anna", "seed": i}
        for i in range(count)
    ]


def command(talker: Path, path: Path, output: Path) -> list[str]:
    return ["batch", "--model", str(talker), "--manifest", str(path), "--output", str(output)]


def sounds(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.wav"))}


def test_every_row_is_spoken_once(
    talker_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    given = rows(3)
    given[1] |= {"reference_audio": str(talker_folder.parent / "anna.wav")}
    path, output = manifest(tmp_path, given), tmp_path / "out"
    arguments = command(talker_folder, path, output) + FLAGS
    assert main(arguments) == 0 and "3 spoken, 0 were there, 0 failed" in caplog.text
    first = sounds(output)
    assert sorted(first) == ["row_00.wav", "row_01.wav", "row_02.wav"]
    assert len(load_audio(output / "row_00.wav")) > 5_000
    assert main(arguments) == 0 and "0 spoken, 3 were there, 0 failed" in caplog.text
    given[2]["text"] = "Something else."
    manifest(tmp_path, given)
    assert main(arguments) == 0 and "1 spoken, 2 were there, 0 failed" in caplog.text
    (output / "row_00.wav").unlink()
    assert main(arguments) == 0
    again = sounds(output)
    assert again["row_00.wav"] == first["row_00.wav"] and again["row_02.wav"] != first["row_02.wav"]


def test_a_row_that_fails_does_not_stop_the_others(
    talker_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = rows(3)
    given[0] |= {"speaker": "nobody"}
    given[1] |= {"reference_audio": "gone.wav"}
    path, output = manifest(tmp_path, given), tmp_path / "out"
    assert main(command(talker_folder, path, output) + FLAGS) == 1
    assert "row_00: no voice for speaker 'nobody'" in caplog.text and "gone.wav" in caplog.text
    assert sorted(sounds(output)) == ["row_02.wav"]


KILLED = """
import os, signal, sys
from GPT_SoVITS.__main__ import main
from GPT_SoVITS.inference import batch

append, done = batch.append, []

def killed(path, entry):
    if len(done) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    append(path, entry)
    done.append(entry)

batch.append = killed
main(sys.argv[1:])
"""


def test_killed_and_resumed_is_never_stopped(talker_folder: Path, tmp_path: Path) -> None:
    """Killed between a row's sound and its line in the ledger."""
    path = manifest(tmp_path, rows(8))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(command(talker_folder, path, whole) + FLAGS) == 0
    line = [sys.executable, "-c", KILLED, *command(talker_folder, path, cut), *FLAGS]
    done = subprocess.run(line, cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    assert done.returncode == -signal.SIGKILL
    assert len(sounds(cut)) == 5 and len(read_ledger(cut / LEDGER)) == 4
    assert main(command(talker_folder, path, cut) + FLAGS) == 0
    assert sounds(cut) == sounds(whole) and len(sounds(cut)) == 8
    assert read_ledger(cut / LEDGER) == read_ledger(whole / LEDGER)


def test_half_a_line_in_the_ledger_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    append(path, {"id": "a", "digest": "1"})
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"id": "b", "dig')
    append(path, {"id": "c", "digest": "3"})
    assert read_ledger(path) == {"a": "1", "c": "3"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "rows.jsonl:2"),
        ("[]", "a row is an object"),
        ('{"id": "../x", "text": "a"}', "id is '../x'"),
        ('{"id": "ROW_00", "text": "a"}', "there twice"),
        ('{"id": "b"}', "a text or a dialogue"),
        ('{"id": "b", "text": "a", "dialogue": "c"}', "a text or a dialogue"),
        ('{"id": "b", "text": "a", "sped": 2}', "sped is unknown"),
        ('{"id": "b", "text": 3}', "text is 3"),
        ('{"id": "b", "text": "a", "seed": -1}', "seed is -1"),
        ('{"id": "b", "text": "a", "reference_audio": [1]}', "reference_audio is a path"),
    ],
)
def test_a_wrong_row_is_named_before_anything_is_spoken(
    tmp_path: Path, row: str, said: str
) -> None:
    path = manifest(tmp_path, rows(1))
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="rows.jsonl:2") as error:
        read_manifest(path)
    assert said in str(error.value)
