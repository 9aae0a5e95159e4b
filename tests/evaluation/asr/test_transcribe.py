"""Recordings to a manifest: every recording has a row or a reason, and none is heard twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.evaluation.asr import AsrError, Transcript
from GPT_SoVITS.evaluation.asr.manifest import (
    FORMS,
    ManifestRow,
    correct_row,
    ledger_of,
    read_manifest,
    write_manifest,
)
from GPT_SoVITS.evaluation.asr.transcribe import TranscribeConfig, main, transcribe

RATE = 32000


class Ear:
    """Hears how long a recording is; nothing in the longest, breaks at the second longest."""

    identity, unit = "ear", "words"

    def __init__(self) -> None:
        self.heard: list[int] = []

    def languages(self) -> tuple[str, ...]:
        return ()

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        tenths = round(len(samples) / sample_rate * 10)
        self.heard.append(tenths)
        if tenths == 9:
            raise AsrError("the recogniser broke")
        return Transcript("" if tenths == 10 else f" {tenths}  tenths | of a second ")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Ten recordings of 0.1 to 1 s in two folders, and one file that is no sound."""
    for tenths in range(1, 11):
        folder = tmp_path / "raw" / ("anna" if tenths % 2 else "bob")
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{tenths}.wav", np.zeros(RATE * tenths // 10, "f4"), RATE)
    (tmp_path / "raw" / "bob" / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "raw" / "bob" / "notes.txt").write_text("not heard")
    return tmp_path / "raw"


@pytest.mark.parametrize("form", FORMS)
def test_every_recording_has_a_row_or_a_reason(raw: Path, form: str):
    output = raw / f"said{form}"
    count, failures = transcribe(TranscribeConfig((raw,), output), recognizer=Ear())
    rows = read_manifest(output)
    assert count == len(rows) == 8 and len(failures) == 3
    assert {f.audio: f.code for f in failures} == {
        "anna/9.wav": "not_heard",
        "bob/10.wav": "nothing_understood",
        "bob/broken.wav": "unreadable",
    }
    assert rows[0] == ManifestRow("anna/1.wav", "1 tenths | of a second", "anna", "en")
    lines = ledger_of(output).read_text().splitlines()
    assert [json.loads(line)["code"] for line in lines] == [f.code for f in failures]


def test_a_second_run_hears_only_what_has_no_row(raw: Path):
    output, ear = raw / "said.jsonl", Ear()
    transcribe(TranscribeConfig((raw / "anna",), output), recognizer=ear)
    ear.heard.clear()
    transcribe(TranscribeConfig((raw,), output, speaker="eve"), recognizer=ear)
    assert sorted(ear.heard) == [2, 4, 6, 8, 9, 10]
    assert {row.speaker for row in read_manifest(output)} == {"anna", "eve"}


def test_recordings_outside_the_manifest_s_folder_keep_their_whole_path(raw: Path, tmp_path: Path):
    output = tmp_path / "other" / "said.list"
    transcribe(TranscribeConfig((raw / "anna" / "1.wav",), output), recognizer=Ear())
    (row,) = read_manifest(output)
    assert Path(row.audio) == (raw / "anna" / "1.wav").resolve()


def test_one_text_is_corrected_and_the_others_stay(raw: Path):
    output = raw / "said.csv"
    rows = [ManifestRow(f"{n}.wav", f'text {n}, "quoted"', "anna", "en") for n in "abc"]
    write_manifest(output, rows)
    correct_row(output, "b.wav", "in  other words")
    assert [row.text for row in read_manifest(output)] == [
        rows[0].text,
        "in other words",
        rows[2].text,
    ]
    with pytest.raises(ValueError, match="one of its recordings"):
        correct_row(output, "d.wav", "words")


def test_a_recogniser_of_phones_writes_no_transcripts(raw: Path):
    ear = Ear()
    ear.unit = "phones"
    with pytest.raises(AsrError, match="hears phones"):
        transcribe(TranscribeConfig((raw,), raw / "said.jsonl"), recognizer=ear)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recordings", "nowhere", "--output", "x.jsonl"], "there is no nowhere"),
        (["--recordings", ".", "--output", "x.txt"], "ends with one of"),
        (["--recordings", ".", "--output", "x.jsonl", "--engine", "funasr"], "asr.model"),
        (["--recordings", ".", "--output", "x.jsonl", "--language", "zh"], "English only"),
    ],
)
def test_the_command_refuses_with_a_sentence(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
):
    monkeypatch.chdir(tmp_path)
    assert main(options) == 2
    assert said in caplog.text and not list(tmp_path.iterdir())


def test_the_command_hears_with_the_embedded_recogniser(raw: Path, tmp_path: Path):
    pytest.importorskip("pocketsphinx")
    output = tmp_path / "said.jsonl"
    assert main(["--recordings", str(raw / "bob" / "2.wav"), "--output", str(output)]) in (0, 3)
    assert output.is_file() and ledger_of(output).is_file()
