"""A recogniser writes a `.list`: ten files, ten rows; failures are listed, never blank."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from prepare_datasets.label_recordings import main
from tests.prepare_datasets.raw_recordings.test_engines import whisper
from tests.prepare_datasets.runs import prepare, report
from tests.prepare_datasets.sounds import TEXTS, voice


def label(folder: Path, *more: str) -> int:
    places = ["--raw", str(folder / "raw"), "--output", str(folder / "raw" / "labels.list")]
    with pytest.raises(SystemExit) as end:
        main([*places, "--engine", "whisper", "--model", str(folder / "raw"), *more])
    return int(end.value.code or 0)


def rows(folder: Path) -> list[str]:
    return (folder / "raw" / "labels.list").read_text("utf-8").splitlines()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten recordings of two speakers."""
    for number in range(10):
        path = tmp_path / "raw" / ("ann", "bob")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, voice(number), 22050)
    return tmp_path


def test_ten_files_are_ten_rows_that_the_five_steps_read(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
):
    heard = whisper(monkeypatch, TEXTS[:1])
    assert label(corpus) == 0
    assert len(heard) == 10 and rows(corpus)[0] == f"ann/0.wav|ann|EN|{TEXTS[0]}"
    assert prepare(corpus / "raw", corpus / "data", "--source.reader", "list") == 0
    assert report(corpus / "data")["kept"] == 10


def test_failures_are_in_the_ledger(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    (corpus / "raw" / "ann" / "0.wav").write_text("<html>")
    soundfile.write(corpus / "raw" / "a|b.wav", voice(1), 22050)
    whisper(monkeypatch, ["", *TEXTS])
    assert label(corpus) == 3
    ledger = (corpus / "raw" / "labels.ledger.jsonl").read_text("utf-8").splitlines()
    codes = {line["path"]: line["code"] for line in map(json.loads, ledger)}
    assert codes["ann/0.wav"] == "unreadable_audio" and codes["a|b.wav"] == "bad_name"
    assert list(codes.values()).count("no_transcript") == 2 and len(rows(corpus)) == 7
    assert all(row.rsplit("|", 1)[1] for row in rows(corpus))


def test_rows_corrected_by_hand_stay(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    whisper(monkeypatch, ["Nonsense."])
    label(corpus)
    path = corpus / "raw" / "labels.list"
    path.write_text(path.read_text("utf-8").replace("Nonsense.", "Sense.", 1), "utf-8")
    (corpus / "raw" / "bob" / "new.wav").write_bytes(
        (corpus / "raw" / "bob" / "1.wav").read_bytes()
    )
    heard = whisper(monkeypatch, ["More."])
    assert label(corpus) == 0
    assert len(heard) == 1 and "bob/new.wav|bob|EN|More." in rows(corpus)
    assert "ann/0.wav|ann|EN|Sense." in rows(corpus) and len(rows(corpus)) == 11
    assert label(corpus, "--again", "true", "--speaker", "eve") == 0
    assert all(row.endswith("|eve|EN|More.") for row in rows(corpus)) and len(heard) == 12


@pytest.mark.parametrize("wrong", [["--speaker", "a|b"], ["--engine", "whisper", "--model", "x"]])
def test_what_cannot_work_is_refused(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, wrong: list[str]
):
    class WhisperModel:
        def __init__(self, folder: str, local_files_only: bool) -> None:
            raise ValueError(f"{folder}: no model")

    whisper(monkeypatch, TEXTS)
    monkeypatch.setattr("faster_whisper.WhisperModel", WhisperModel)
    assert label(corpus, *wrong) == 2
    assert not list((corpus / "raw").glob("labels.*"))


def test_subtitles_in_no_known_encoding_are_in_the_ledger(corpus: Path):
    for number, path in enumerate(sorted((corpus / "raw").rglob("*.wav"))):
        cue = b"1\n00:00:00,000 --> 00:00:00,800\nHello.\n"
        path.with_suffix(".srt").write_bytes(cue if number else b"\xff\xfe\x00\xd8\xff")
    assert label(corpus, "--engine", "subtitles") == 3
    (line,) = (corpus / "raw" / "labels.ledger.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["code"] == "wrong_encoding" and len(rows(corpus)) == 9
