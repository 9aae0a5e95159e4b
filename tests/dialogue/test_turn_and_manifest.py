"""dialogue.json is read strictly; manifests come back as they were written."""

from __future__ import annotations

import json

import pytest

from GPT_SoVITS.dialogue import Dialogue, DialogueError
from GPT_SoVITS.dialogue.manifest import (
    ManifestError,
    S1Record,
    S2Record,
    TurnRecord,
    read_s1,
    read_s2,
    write_records,
)

GOOD = {
    "turns": [{"speaker": "user", "text": "Hello.", "language": "en", "audio": "u.wav"}],
    "response": {"speaker": "agent", "text": "Hi!"},
    "schema_version": 1,
}


def test_a_dialogue_file_is_read_and_its_audio_is_relative_to_it(tmp_path):
    path = tmp_path / "dialogue.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    dialogue = Dialogue.load(path)
    assert dialogue.turns[0].audio == str(tmp_path / "u.wav")
    assert dialogue.response.speaker == "agent" and dialogue.response.language == "auto"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turn": []}, "did you mean 'turns'"),
        ({"turns": {}}, "turns must be a list"),
        ({"turns": [{"speaker": "u"}]}, r"turns\[0\]: text is missing"),
        ({"turns": [{"speaker": "u", "text": " "}]}, "text is ' '"),
        ({"response": {"speaker": "a", "text": "x", "language": "fr"}}, "language is 'fr'"),
        ({"schema_version": 2}, "schema_version 2"),
        ({"reference_audio": 3}, "reference_audio is 3"),
    ],
)
def test_a_wrong_dialogue_names_the_place(change, message):
    with pytest.raises(DialogueError, match=message):
        Dialogue.from_json({**GOOD, **change})


def test_a_file_that_is_not_json_names_itself(tmp_path):
    path = tmp_path / "dialogue.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DialogueError, match="dialogue.json"):
        Dialogue.load(path)


def test_manifests_come_back_as_written(tmp_path):
    one = TurnRecord("c/d/0", 0, "u", "en", "Hi", (1, 2), (3, 4, 5), 0.2, {"pitch": "high"})
    two = TurnRecord("c/d/1", 1, "a", "en", "Yo", (1,), (3,), 0.1)
    s1 = [S1Record("c/d", (one, two), (1,))]
    s2 = [S2Record("c/d/1", "c/d", 1, "a", "en", (1,), (3,), "3_speech/x.flac", 2, ("c/d/0",))]
    assert write_records(tmp_path / "s1.jsonl", s1) == 1
    write_records(tmp_path / "s2.jsonl", s2)
    assert list(read_s1(tmp_path / "s1.jsonl")) == s1
    assert list(read_s2(tmp_path / "s2.jsonl")) == s2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s1.jsonl", "s2.jsonl"]


def test_a_broken_manifest_line_names_file_and_line(tmp_path):
    path = tmp_path / "s1.jsonl"
    path.write_text('{"dialogue": "d", "turns": [], "targets": [0]}\n', encoding="utf-8")
    with pytest.raises(ManifestError, match=r"s1.jsonl:1: target 0"):
        list(read_s1(path))
    with pytest.raises(ManifestError, match="--steps 5"):
        list(read_s1(tmp_path / "none.jsonl"))
