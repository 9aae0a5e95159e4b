"""Tags of a corpus are counted before anything is dropped for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prepare_datasets.count_tags import census, main

TURNS = [
    {"id": "a", "text": "Seriously? <giggles> That's the cutest thing <LAUGHS> <laughs>."},
    {"id": "b", "text": "真的吗？＜giggles＞这也太可爱了吧！"},
    {"id": "c", "text": "Nothing here, 3 < 5 > 2."},
    {"id": "d", "text": "<MOANS> well <Sighs> <MOANS>"},
]


def test_every_tag_of_a_line_is_counted_in_any_case_and_width():
    found = census(TURNS, ["<LAUGHS>", "<GIGGLES>"])
    assert found.uses == {"<GIGGLES>": 2, "<LAUGHS>": 2, "<MOANS>": 2, "<SIGHS>": 1}
    assert found.undeclared == {"d": ("<MOANS>", "<SIGHS>")}
    assert not census(TURNS, ["<laughs>", "<giggles>", "<moans>", "<sighs>"]).undeclared


def test_the_command_lists_turns_that_would_be_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "1_dialogues"
    folder.mkdir()
    lines = "".join(json.dumps(turn, ensure_ascii=False) + "\n" for turn in TURNS)
    (folder / "turns.jsonl").write_text(lines, encoding="utf-8")
    assert main(["--folder", str(tmp_path), "--tags", "<laughs>, <GIGGLES>,<MOANS>"]) == 1
    printed = capsys.readouterr().out
    assert "<GIGGLES>\t2\tdeclared" in printed and "<SIGHS>\t1\tnot declared" in printed
    assert printed.splitlines()[-1] == "d: <SIGHS> not declared"
    assert main(["--folder", str(tmp_path), "--tags", "<laughs>,<giggles>,<moans>,<sighs>"]) == 0
    assert main(["--folder", str(tmp_path / "elsewhere")]) == 2
    assert "--steps 1" in capsys.readouterr().out
