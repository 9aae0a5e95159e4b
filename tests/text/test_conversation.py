"""What chats are full of: interjections, stretched and stuttered words, laughter, mixed text."""

from __future__ import annotations

import pytest

from GPT_SoVITS.text import Frontend, SymbolTable


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend()


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("嗯。", "EE en1 ."),
        ("欸，哎呀", "EE ei4 , AA ai1 y a1"),
        ("呃……好", "EE e4 … h ao3"),
        ("哈哈哈", "h a1 h a1 h a5"),
        ("um, uh-huh, wow", "AH1 M , AH1 HH AH1 , W AW1"),
        ("sooooo good", "S OW1 G UH1 D"),
        ("b-but why", "B B AH1 T W AY1"),
        ("I-I-I know", "AY1 AY1 AY1 N OW1"),
        ("hahaha yes", "HH AA1 HH AA1 HH AA1 Y EH1 S"),
        ("don’t go", "D OW1 N T G OW1"),
        ("I'd've gone", "AY1 D AH0 V G AO1 N"),
        ("wait... what", "W EY1 T . W AH1 T"),
        ("the cats' toys", "DH AH0 K AE1 T S T OY1 Z"),
        ("my USB, NASA", "M AY1 Y UW1 EH1 S B IY1 , N AE1 S AH0"),
        ("an MP3 file", "AE1 N EH1 M P IY1 TH R IY1 F AY1 L"),
        ("meet at 17:40 now", "M IY1 T AE1 T F AY1 V F AO1 R T IY0 P IY1 EH1 M N AW1"),
    ],
)
def test_chat_is_spoken(frontend, text, phonemes):
    assert " ".join(frontend(text).phonemes) == phonemes


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("我買了3個", "我买了三个"),
        ("二〇二四年", "二零二四年"),
        ("2.5kg", "二点五千克"),
        ("大约1/3", "大约三分之一"),
        ("3-5年", "三到五年"),
        ("￥80一张", "八十元一张"),
        ("400-820-8820", "四零零,八二零,八八二零"),
        ("00078", "零零零七八"),
        ("版本2.0.13", "版本二点零点一三"),
        ("-2℃", "零下二度"),
    ],
)
def test_known_slips_of_normalisers_are_read_right(frontend, text, normalized):
    assert frontend(text, "zh").normalized == normalized


def test_digits_take_the_language_around_them(frontend):
    assert frontend("我的iPhone 15很好").normalized == "我的iPhone fifteen很好"
    assert frontend("iPad我买了3个").normalized == "iPad我买了三个"


@pytest.mark.parametrize(("version", "size"), [("v1", 322), ("v2", 732)])
def test_the_tables_are_the_published_ones(shared, version, size):
    import json

    path = shared / "golden" / "text" / f"symbols_{version}.json"
    assert list(SymbolTable(version).names) == json.loads(path.read_text(encoding="utf-8"))
    assert len(SymbolTable(version)) == size
    assert SymbolTable("v2").names[:322] == SymbolTable("v1").names


def test_an_unknown_phoneme_is_unk_and_reported():
    table = SymbolTable("v2")
    assert table.ids(["B", "nothing"])[1] == table.names.index("UNK")
    assert table.unknown(["B", "nothing"]) == ("nothing",)
