"""Corrections by hand: originals untouched, only what changed made again, every step undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from prepare_datasets.correct import add, main, undo
from prepare_datasets.corrections import Corrections, in_force, read_history
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import read_jsonl
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import StepResult
from prepare_datasets.readers.turn import RawTurn
from tests.prepare_datasets.runs import ledger, prepare, report, tree
from tests.prepare_datasets.sounds import write_corpus


def turn(index: int, text: str = "Yes.", *, speaker: str = "a", dialogue: str = "c/1") -> RawTurn:
    audio = f"{dialogue}_{index}.wav"
    return RawTurn(f"{dialogue}/{index}", dialogue, index, speaker, text, "en", audio, origin="o")


def applied(turns: list[RawTurn], *lines: dict[str, Any]) -> tuple[list[RawTurn], list[Entry]]:
    numbered = [{"number": n} | line for n, line in enumerate(lines, 1)]
    made = list(Corrections(in_force(numbered)).apply(turns))
    found = [one for one in made if isinstance(one, RawTurn)]
    return found, [one for one in made if isinstance(one, Entry)]


def test_turns_without_corrections_pass_as_they_are():
    turns = [turn(0), turn(1), turn(0, dialogue="c/2")]
    assert applied(turns) == (turns, [])
    made, entries = applied(turns, {"op": "text", "id": "c/2/0", "text": " No.\n "})
    assert made[:2] == turns[:2] and made[2].text == "No."
    assert [(e.code, e.action) for e in entries] == [("corrected_text", "notice")]


def test_a_split_makes_two_turns_and_moves_those_behind():
    made, _ = applied(
        [turn(0), turn(1, "Yes. No."), turn(2)],
        {"op": "split", "id": "c/1/1", "at": 0.5, "texts": ["Yes.", "No."]},
        {"op": "text", "id": "c/1/1.2", "text": "Nope."},
    )
    assert [(t.id, t.index, t.text) for t in made] == [
        ("c/1/0", 0, "Yes."),
        ("c/1/1", 1, "Yes."),
        ("c/1/1.2", 2, "Nope."),
        ("c/1/2", 3, "Yes."),
    ]
    assert made[1].parts == (("c/1_1.wav", 0.0, 0.5),)
    assert made[2].parts == (("c/1_1.wav", 0.5, None),)
    assert len({t.origin for t in made}) == 3  # the halves are made of other sound


def test_a_half_can_be_split_again_and_knows_where_it_ends():
    halves = {"op": "split", "id": "c/1/0", "at": 2.0, "texts": ["a", "b"]}
    made, entries = applied(
        [turn(0)],
        halves,
        {"op": "split", "id": "c/1/0", "at": 0.5, "texts": ["c", "d"]},
        {"op": "split", "id": "c/1/0.2.2", "at": 9.0, "texts": ["e", "f"]},
        {"op": "split", "id": "c/1/0", "at": 0.75, "texts": ["g", "h"]},
    )
    assert [(t.text, t.parts and t.parts[0][1:]) for t in made] == [
        ("c", (0.0, 0.5)),
        ("d", (0.5, 2.0)),
        ("b", (2.0, None)),
    ]
    unused = [e.message for e in entries if e.code == "unused_correction"]
    assert len(unused) == 2 and "no such turn" in unused[0] and "ends before 0.75 s" in unused[1]


def test_merged_turns_are_one_and_those_behind_move_up():
    made, _ = applied(
        [turn(3, "你好"), turn(4, "世界"), turn(5, speaker="b")],
        {"op": "merge", "id": "c/1/3", "with": "c/1/4"},
    )
    assert [(t.id, t.index, t.text) for t in made] == [
        ("c/1/3", 3, "你好世界"),
        ("c/1/5", 4, "Yes."),
    ]
    assert made[0].parts == (("c/1_3.wav", 0.0, None), ("c/1_4.wav", 0.0, None))
    made, _ = applied([turn(0), turn(1, "No.")], {"op": "merge", "id": "c/1/0", "with": "c/1/1"})
    assert made[0].text == "Yes. No."


@pytest.mark.parametrize(
    "line",
    [
        {"op": "merge", "id": "c/1/0", "with": "c/1/1"},  # another speaker
        {"op": "merge", "id": "c/1/1", "with": "c/1/0"},  # the wrong way round
        {"op": "text", "id": "c/1/7", "text": "x"},
        {"op": "drop", "id": "c/9/0", "reason": ""},
    ],
)
def test_what_does_not_fit_changes_nothing_and_is_noted(line: dict[str, Any]):
    turns = [turn(0), turn(1, speaker="b")]
    made, entries = applied(turns, line)
    assert made == turns
    assert [(e.code, e.action) for e in entries] == [("unused_correction", "notice")]


def test_imported_features_are_never_cut():
    imported = RawTurn("c/1/0", "c/1", 0, "a", "Hi.", "en", "x.wav", codes=(1, 2))
    line = {"op": "split", "id": "c/1/0", "at": 0.5, "texts": ["a", "b"]}
    made, entries = applied([imported], line)
    assert made == [imported] and "imported" in entries[0].message


def test_an_undo_can_be_undone():
    text = {"op": "text", "id": "c/1/0", "text": "No."}
    once, twice = {"op": "undo", "of": 1}, {"op": "undo", "of": 2}
    assert applied([turn(0)], text, once)[0][0].text == "Yes."
    assert applied([turn(0)], text, once, twice)[0][0].text == "No."


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Prepared: three dialogues of four turns; 1/2 has two words' sounds one after the other."""
    raw = write_corpus(tmp_path / "raw")
    both = [soundfile.read(raw / "1" / f"{n}_{n % 2}_d1.wav")[0] for n in (2, 3)]
    soundfile.write(raw / "1" / "2_0_d1.wav", np.concatenate(both), 22050)
    assert prepare(raw, tmp_path / "data") == 0
    return tmp_path


def done(results: list[tuple[str, StepResult]]) -> dict[str, int]:
    return {name: result.computed for name, result in results}


def test_only_what_was_corrected_is_made_again(corpus: Path, monkeypatch: pytest.MonkeyPatch):
    from prepare_datasets.pipeline import Step

    raw, data = corpus / "raw", corpus / "data"
    original, before = tree(raw), tree(data)
    results: list[tuple[str, StepResult]] = []
    real = Step.run

    def run(self: Step, *args: Any, **options: Any) -> StepResult:
        results.append((self.name, real(self, *args, **options)))
        return results[-1][1]

    monkeypatch.setattr(Step, "run", run)
    add(data, "split", id="t/1/2", at=0.9, texts=["Thank you very much.", "You are welcome."])
    assert prepare(raw, data) == 0
    counts = done(results)
    assert counts["step2_text"] == 1  # the first half's words are what the whole had
    assert counts["step3_speech"] == 2
    assert counts["step3_speech features"] == 1 and counts["step4_semantic"] == 1
    turns = [t for t in read_jsonl(data / "1_dialogues" / "turns.jsonl") if t["dialogue"] == "t/1"]
    assert [t["id"] for t in turns] == ["t/1/0", "t/1/1", "t/1/2", "t/1/2.2", "t/1/3"]
    lengths = {r["id"]: r["seconds"] for r in read_jsonl(data / "3_speech" / "turns.jsonl")}
    assert abs(lengths["t/1/2"] - 0.9) < 1e-3 and abs(lengths["t/1/2.2"] - 0.9) < 1e-3
    assert report(data)["in"] == 13 and {e["code"] for e in ledger(data)} == {"corrected_split"}

    undo(data)
    assert prepare(raw, data) == 0
    after = tree(data)
    ours = [name for name in before if "corrections" not in name]
    assert {name: after[name] for name in ours} == {name: before[name] for name in ours}
    assert tree(raw) == original


def test_a_dropped_turn_is_counted_and_leaves_a_gap(corpus: Path):
    data = corpus / "data"
    add(data, "drop", id="t/2/1", reason="two people at once")
    assert prepare(corpus / "raw", data) == 0
    counts = report(data)
    assert counts["in"] == 12 and counts["reasons"] == {"dropped_by_hand": 1}
    (entry,) = [e for e in ledger(data) if e["action"] == "dropped"]
    assert entry["id"] == "t/2/1" and entry["message"] == "two people at once"
    assert counts["notices"] == {"gap": 1}


def test_merged_recordings_lie_one_after_the_other(corpus: Path):
    data = corpus / "data"
    for path in (corpus / "raw" / "0").glob("1_1_d0.*"):
        path.rename(path.with_name(path.name.replace("1_1_", "1_0_")))
    assert prepare(corpus / "raw", data) == 0
    apart = {r["id"]: r["n_samples"] for r in read_jsonl(data / "3_speech" / "turns.jsonl")}
    add(data, "merge", id="t/0/0", **{"with": "t/0/1"})
    assert prepare(corpus / "raw", data) == 0
    joined = {r["id"]: r["n_samples"] for r in read_jsonl(data / "3_speech" / "turns.jsonl")}
    assert joined["t/0/0"] == apart["t/0/0"] + apart["t/0/1"] and "t/0/1" not in joined
    assert not (data / "3_speech" / "audio" / "t" / "0" / "1.flac").exists()


def test_the_command_adds_lists_and_refuses(
    corpus: Path, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
):
    place = ["--data", str(corpus / "data")]
    assert main([*place, "text", "t/0/0", "Where is it?"]) == 0
    assert main([*place, "undo"]) == 0
    assert main([*place, "list"]) == 0
    assert '"in_force": false' in capsys.readouterr().out
    before = (corpus / "data" / "corrections.jsonl").read_bytes()
    for wrong in (
        ["text", "t/0/9", "x"],
        ["text", "t/0/0", " "],
        ["split", "t/0/0", "-1", "a", "b"],
        ["split", "t/0/0", "nan", "a", "b"],
        ["merge", "t/0/0", "t/0/0"],
        ["undo", "7"],
        ["undo"],
    ):
        assert main([*place, *wrong]) == 2, wrong
    assert (corpus / "data" / "corrections.jsonl").read_bytes() == before
    assert "has no turn t/0/9" in caplog.text


def test_a_damaged_history_is_named_and_nothing_is_prepared_from_it(corpus: Path):
    path = corpus / "data" / "corrections.jsonl"
    path.write_text('{"number": 1, "op": "shell", "id": "t/0/0"}\n', "utf-8")
    with pytest.raises(PrepareError, match=r"corrections.jsonl:1: op is 'shell'"):
        read_history(path)
    assert prepare(corpus / "raw", corpus / "data") == 2


def test_a_history_can_lie_elsewhere(corpus: Path):
    history = corpus / "mine.jsonl"
    add(corpus / "data", "text", history=history, id="t/0/0", text="Where is it?")
    assert prepare(corpus / "raw", corpus / "data", "--corrections", str(history)) == 0
    first = next(read_jsonl(corpus / "data" / "1_dialogues" / "turns.jsonl"))
    assert first["text"] == "Where is it?"
    assert prepare(corpus / "raw", corpus / "data", "--corrections", "none.jsonl") == 2
