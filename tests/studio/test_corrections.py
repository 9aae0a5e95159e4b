"""A turn is corrected by a history that can be undone; a broken file is mended and comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from GPT_SoVITS.studio.corrections import Corrections
from GPT_SoVITS.studio.errors import StudioError


@pytest.fixture
def corpus(prepared_demo: Path, tmp_path: Path) -> Corrections:
    (tmp_path / "data").mkdir()
    shutil.copytree(prepared_demo.parent / "raw" / "0", tmp_path / "raw" / "0")
    shutil.copytree(prepared_demo / "1_dialogues", tmp_path / "data" / "1_dialogues")
    return Corrections(tmp_path / "raw", tmp_path / "data")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_correcting_a_turn_leaves_every_original_and_is_undone(corpus: Corrections):
    before, path = files(corpus.raw), "0/1_1_d0.wav"
    first = corpus.find(path)
    corpus.text(path, "--It is: 'late' | isn't it?")
    assert corpus.find(path).text == "--It is: 'late' | isn't it?"
    corpus.text(path, "Another.")
    corpus.undo(path)
    assert corpus.find(path).text.startswith("--It is")
    corpus.undo(path)
    assert corpus.find(path) == first
    with pytest.raises(StudioError, match="no correction to undo"):
        corpus.undo(path)
    assert files(corpus.raw) == before


def test_after_undo_the_transcript_is_shown_though_the_corpus_was_prepared_between(
    corpus: Corrections,
):
    path, old = "0/1_1_d0.wav", corpus.find("0/1_1_d0.wav")
    corpus.text(path, "Another.")
    turns = corpus.prepared / "1_dialogues" / "turns.jsonl"
    turns.write_text(turns.read_text().replace(old.text, "Another."))
    corpus.undo(path)
    assert corpus.find(path) == old


def test_split_join_and_leave_out_are_lines_of_the_history(corpus: Corrections):
    before = files(corpus.raw)
    corpus.split("0/0_0_d0.wav", 0.4, ("One.", "Two."))
    corpus.drop("0/2_0_d0.wav", "-- a reason")
    corpus.join("0/1_1_d0.wav")
    assert [line["op"] for line in corpus.history()] == ["split", "drop", "merge"]
    corpus.undo("0/2_0_d0.wav")
    assert [line["in_force"] for line in corpus.history()] == [True, False, True, False]
    assert files(corpus.raw) == before


def test_a_turn_is_known_by_the_name_that_later_steps_give_its_recording(corpus: Corrections):
    known = corpus.find("0/0_0_d0.wav")
    made = corpus.prepared / f"3_speech/audio/{known.id}.flac"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"")
    path = made.relative_to(corpus.prepared).as_posix()
    assert corpus.find(path).id == known.id and corpus.recording(path) == made
    corpus.drop(path, "")
    corpus.undo("0/0_0_d0.wav")
    assert [line["in_force"] for line in corpus.history()] == [False, False]


def test_the_command_s_refusal_is_the_sentence_shown(corpus: Corrections):
    with pytest.raises(StudioError, match="above 0 s"):
        corpus.split("0/0_0_d0.wav", -1.0, ("One.", "Two."))


def test_what_never_became_a_turn_is_mended_and_what_was_there_is_kept(corpus: Corrections):
    path = "0/9_0_d0.wav"
    broken = b"this is no sound"
    (corpus.raw / path).write_bytes(broken)
    assert corpus.find(path).id is None
    with pytest.raises(StudioError, match="not a turn"):
        corpus.drop(path, "")
    corpus.text(path, " Written   now. ")
    assert (corpus.raw / "0/9_0_d0.txt").read_text() == "Written now.\n"
    good = corpus.raw / "0/0_0_d0.wav"
    corpus.mended.replace(path, good)
    assert (corpus.raw / path).read_bytes() == good.read_bytes()
    corpus.undo(path)
    assert (corpus.raw / path).read_bytes() == broken
    corpus.undo(path)
    assert not (corpus.raw / "0/9_0_d0.txt").exists()


def test_another_format_is_no_replacement(corpus: Corrections, tmp_path: Path):
    other = tmp_path / "other.flac"
    other.write_bytes(b"")
    with pytest.raises(StudioError, match="same format"):
        corpus.mended.replace("0/0_0_d0.wav", other)
