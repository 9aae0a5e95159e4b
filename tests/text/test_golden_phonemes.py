"""The golden sets meet their bars; the command says so by its exit code."""

from __future__ import annotations

import json

from tests import check_phonemes


def test_the_public_set_meets_every_bar(shared, capsys):
    assert check_phonemes.main([str(shared / "golden" / "text" / "public")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 crashes: all bars met")


def test_wrong_phones_are_below_the_bar(tmp_path, capsys):
    row = {"id": "x", "text": "你好。", "phones": ["b", "a1", "."], "word2ph": [2, 2, 1]}
    (tmp_path / "zh_v2.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert check_phonemes.main([str(tmp_path)]) == 1
    assert "MISS: zh_v2" in capsys.readouterr().out


def test_a_text_that_cannot_be_spoken_counts_as_a_crash(tmp_path, capsys):
    row = {"id": "x", "text": "", "phones": ["."], "word2ph": [1], "questionable": ["empty"]}
    (tmp_path / "zh_v1.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert check_phonemes.main([str(tmp_path)]) == 1
    assert "1 crashes" in capsys.readouterr().out


def test_a_folder_without_golden_files_is_an_error(tmp_path):
    assert check_phonemes.main([str(tmp_path)]) == 2


def test_edits_are_insertions_deletions_and_changes():
    assert check_phonemes.edits("kitten", "sitting") == 3
    assert check_phonemes.edits([], ["a"]) == 1
