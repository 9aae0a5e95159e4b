"""The demo runner: a finished stage is reused, a changed one and all after it run again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from examples import demo
from examples.demo import SIZES, Stage, run_stage, stages
from examples.demo_dialogue import choose_held_out


def touch_stage(folder: Path, *, text: str = "x") -> Stage:
    """A stage that appends one line to `folder/out`, so that runs can be counted."""
    code = f"open({str(folder / 'out')!r}, 'a').write({text + chr(10)!r})"
    return Stage("touch it", [sys.executable, "-c", code], folder / "out", (folder / "config",))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own for the runner."""
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    (tmp_path / "config").write_text("a: 1\n", encoding="utf-8")
    return tmp_path


def runs(folder: Path) -> int:
    """How often the stage ran."""
    return len((folder / "out").read_text(encoding="utf-8").splitlines())


def test_a_finished_stage_is_reused_with_its_time(folder: Path):
    first = run_stage(touch_stage(folder), folder, before="", fresh=False)
    second = run_stage(touch_stage(folder), folder, before="", fresh=False)
    assert runs(folder) == 1
    assert second[0] == first[0]
    assert second[1] == pytest.approx(first[1], abs=0.06)


def test_a_stage_runs_again_when_its_config_or_a_stage_before_it_changed(folder: Path):
    run_stage(touch_stage(folder), folder, before="", fresh=False)
    run_stage(touch_stage(folder), folder, before="other", fresh=False)
    (folder / "config").write_text("a: 2\n", encoding="utf-8")
    run_stage(touch_stage(folder), folder, before="other", fresh=False)
    run_stage(touch_stage(folder), folder, before="other", fresh=True)
    assert runs(folder) == 4


def test_a_failing_stage_ends_the_demo_and_is_not_taken_for_finished(folder: Path):
    failing = Stage("fail", [sys.executable, "-c", "raise SystemExit(3)"], folder / "out")
    with pytest.raises(SystemExit, match="'fail' failed with status 3"):
        run_stage(failing, folder, before="", fresh=False)
    assert not (folder / "stages").exists()


def test_a_stage_that_wrote_nothing_ends_the_demo(folder: Path):
    silent = Stage("silent", [sys.executable, "-c", "pass"], folder / "out")
    with pytest.raises(SystemExit, match="did not write out"):
        run_stage(silent, folder, before="", fresh=False)


def test_both_sizes_walk_the_same_way_in_folders_of_their_own():
    names = [[stage.name for stage in stages(size)] for size in SIZES.values()]
    assert names[0] == names[1] == ["demo corpus", "five steps", "train s2", "train s1"]
    products = [{stage.produces for stage in stages(size)} for size in SIZES.values()]
    assert not products[0] & products[1]


def write_validation(data: Path, languages: list[str]) -> None:
    """A manifest with one three-turn dialogue per language."""
    (data / "5_sequences").mkdir(parents=True)
    lines = []
    for number, language in enumerate(languages):
        turns = [
            {
                "id": f"demo/{number}/{index}",
                "index": index,
                "speaker": f"s{index % 2}",
                "language": language,
                "text": "hello",
                "phonemes": [1],
                "codes": [2],
                "seconds": 0.04,
            }
            for index in range(3)
        ]
        record = {"schema_version": 1, "dialogue": str(number), "turns": turns, "targets": [1, 2]}
        lines.append(json.dumps(record))
    path = data / "5_sequences" / "s1_valid.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_held_out_dialogue_comes_from_the_validation_split_english_first(tmp_path: Path):
    write_validation(tmp_path / "data", ["zh", "en"])
    held_out = choose_held_out(tmp_path / "data")
    assert held_out.response.id == "demo/1/2"
    written = held_out.dialogue_json(tmp_path / "runs")
    assert [turn["speaker"] for turn in written["turns"]] == ["s0", "s1"]
    assert written["turns"][0]["audio"] == "../data/3_speech/audio/demo/1/0.flac"
    assert written["response"] == {"speaker": "s0", "text": "hello", "language": "en"}


def test_the_dialogue_handed_to_inference_holds_no_word_of_the_answer_s_recording(tmp_path: Path):
    write_validation(tmp_path / "data", ["en"])
    held_out = choose_held_out(tmp_path / "data")
    written = json.dumps(held_out.dialogue_json(tmp_path))
    assert "demo/0/2" not in written
