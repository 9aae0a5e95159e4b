"""A killed run, a repeated one and a changed corpus: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import soundfile

from prepare_datasets.command import prepare as run_steps
from prepare_datasets.command import read_config
from prepare_datasets.pipeline import Step, StepResult
from tests.prepare_datasets import kill_points
from tests.prepare_datasets.runs import TINY, prepare, products, tree
from tests.prepare_datasets.sounds import RATE, voice, write_corpus, write_turn


@pytest.mark.slow
def test_killed_anywhere_and_run_again_gives_the_same_tree(tmp_path: Path):
    result = kill_points.run(tmp_path, kills=3, seed=1)
    assert result["different_trees"] == 0


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    raw = write_corpus(tmp_path / "raw")
    from prepare_datasets import step3_speech

    real, heard = step3_speech.save_audio, []

    def interrupted(*arguments):
        heard.append(arguments)
        if len(heard) == 7:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(step3_speech, "save_audio", interrupted)
    assert prepare(raw, tmp_path / "out") == 4
    assert prepare(raw, tmp_path / "out") == 0
    assert len(heard) == 7 + 6  # six of twelve were there
    monkeypatch.undo()
    assert prepare(raw, tmp_path / "whole") == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_finished_corpus_is_not_touched_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, computed: dict[str, int]
):
    raw = write_corpus(tmp_path / "raw")
    prepare(raw, tmp_path / "out")
    before = tree(tmp_path / "out")
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "5_sequences").iterdir()}
    computed.clear()
    with caplog.at_level(logging.INFO, logger="prepare_datasets"):
        run_steps(read_config([*TINY, "--raw", str(raw), "--output", str(tmp_path / "out")]))
    assert set(computed.values()) == {0}
    assert caplog.text.count("nothing to do") == 6
    assert "is finished" in caplog.text
    assert tree(tmp_path / "out") == before
    assert {p: p.stat().st_mtime_ns for p in times} == times


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Step -> how many items its last run computed."""
    counts: dict[str, int] = {}
    real = Step.run

    def counting(self: Step, *arguments, **options) -> StepResult:
        result = real(self, *arguments, **options)
        counts[self.name] = result.computed
        return result

    monkeypatch.setattr(Step, "run", counting)
    return counts


def test_one_changed_transcript_recomputes_what_depends_on_it(
    tmp_path: Path, computed: dict[str, int]
):
    raw = write_corpus(tmp_path / "raw")
    prepare(raw, tmp_path / "out")
    before = products(tmp_path / "out")
    (raw / "1" / "1_1_d1.txt").write_text("It is under the tables.", encoding="utf-8")
    prepare(raw, tmp_path / "out")
    # Its phonemes, and with them whether the recording fits; no features, no tokens.
    assert computed == {
        "step2_text": 1,
        "step3_speech": 1,
        "step3_speech features": 0,
        "step4_semantic": 0,
    }
    after = products(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"t/1/1"}
    assert after["t/1/1"]["codes"] == before["t/1/1"]["codes"]


def test_one_changed_recording_recomputes_its_dialogue(tmp_path: Path, computed: dict[str, int]):
    raw = write_corpus(tmp_path / "raw")
    prepare(raw, tmp_path / "out")
    soundfile.write(raw / "1" / "1_1_d1.wav", voice(7), RATE)
    prepare(raw, tmp_path / "out")
    assert computed["step2_text"] == 0 and computed["step3_speech"] == 1
    assert computed["step3_speech features"] == 1  # its shard
    assert computed["step4_semantic"] == 1  # its dialogue


def test_a_turn_that_left_the_corpus_leaves_nothing_behind(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    write_turn(raw / "1", 4, "0", "1", seed=9)
    prepare(raw, tmp_path / "out")
    for suffix in (".wav", ".txt"):
        (raw / "1" / "4_0_d1").with_suffix(suffix).unlink()
    prepare(raw, tmp_path / "out")
    assert not (tmp_path / "out" / "3_speech" / "audio" / "t" / "1" / "4.flac").exists()
    assert len(list((tmp_path / "out" / "3_speech" / "features").glob("shard-*"))) == 1


def test_two_runs_at_once_are_refused(tmp_path: Path):
    from prepare_datasets.lock import locked

    raw = write_corpus(tmp_path / "raw")
    with locked(tmp_path / "out"):
        assert prepare(raw, tmp_path / "out") == 2


def test_what_a_killed_run_was_writing_does_not_stay(tmp_path: Path):
    """safetensors writes under names of its own; one kill in a hundred met it."""
    raw = write_corpus(tmp_path / "raw")
    prepare(raw, tmp_path / "out")
    before = tree(tmp_path / "out")
    stale = ["3_speech/features/.tmpLt91zw", "3_speech/features/.shard-1.safetensors.partial"]
    stale += ["4_semantic/.tmp4Kx0a1", "4_semantic/.tokenizer.safetensors.x1.part"]
    for name in stale:
        (tmp_path / "out" / name).write_bytes(b"half")
    (tmp_path / "out" / "5_sequences" / "step.json").unlink()
    prepare(raw, tmp_path / "out")
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("output", ["", "prepared"])
def test_an_output_among_the_recordings_is_refused(tmp_path: Path, output: str):
    raw = write_corpus(tmp_path / "raw", dialogues=1)
    before = tree(raw)
    assert prepare(raw, raw / output) == 2
    assert tree(raw) == before


def test_a_folder_of_an_older_version_is_brought_up_to_date(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw")
    prepare(raw, tmp_path / "out")
    before = tree(tmp_path / "out")
    (tmp_path / "out" / "5_sequences" / "step.json").unlink()
    for name, key in (("1_dialogues/found", "fingerprint"), ("4_semantic/report", "made_from")):
        path = tmp_path / "out" / f"{name}.json"
        values = json.loads(path.read_text("utf-8")) | {"version": 1}
        del values[key]
        path.write_text(json.dumps(values), encoding="utf-8")
    assert prepare(raw, tmp_path / "out", "--steps", "5") == 2
    assert prepare(raw, tmp_path / "out") == 0
    assert tree(tmp_path / "out") == before
