"""Tags, given readings and the lexicon; the command that shows them."""

from __future__ import annotations

import json

import pytest

from GPT_SoVITS.__main__ import main
from GPT_SoVITS.text import Frontend, TextConfig, TextError

TAGS = TextConfig(tags=("<GIGGLES>", "<laugh>", "[breath]"))


def spoken(text: str, config: TextConfig | None = None) -> str:
    return " ".join(Frontend(config)(text).phonemes)


def test_tags_are_symbols_after_the_table_in_their_place_in_both_languages():
    found = Frontend(TAGS)("你<giggles>好 oh [BREATH] no <laugh>")
    assert found.phonemes[2] == "<GIGGLES>"
    assert found.ids[2] == 732
    assert "[breath]" in found.phonemes
    assert found.ids[-1] == 733
    assert len(Frontend(TAGS).symbols) == 735


def test_full_width_brackets_hold_a_tag_too():
    assert (
        Frontend(TAGS)("真的？＜giggles＞好").phonemes
        == Frontend(TAGS)("真的？<giggles>好").phonemes
    )
    with pytest.raises(TextError, match="unknown tag <cough>"):
        Frontend(TAGS)("真的？＜cough＞好")


def test_a_tag_keeps_word2ph_consistent():
    for segment in Frontend(TAGS)("你好<laugh>吗[breath][breath]好").segments:
        if segment.word2ph is not None:
            assert sum(segment.word2ph) == len(segment.phonemes)


def test_an_unknown_tag_is_an_error_that_lists_the_known_ones():
    with pytest.raises(TextError, match=r"<cough>.*<GIGGLES>, <laugh>, \[breath\]"):
        Frontend(TAGS)("hi <cough>")


def test_an_unknown_tag_is_spoken_by_option():
    config = TextConfig(tags=("<laugh>",), unknown_tags="speak")
    assert spoken("hi <cough> there", config) == spoken("hi cough there")


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("重{chong2}庆", "ch ong2 q ing4"),
        ("重庆{zhong4 qing4}", "zh ong4 q ing4"),
        ("绿{lü4}", "l v4"),
        ("I read{R EH1 D} it", "AY1 R EH1 D IH1 T"),
        ("go {now}", "G OW1 N AW1"),
    ],
)
def test_a_reading_in_braces_is_taken(text, phonemes):
    assert spoken(text) == phonemes


def test_the_lexicon_is_taken_for_whole_words_in_any_case(tmp_path):
    path = tmp_path / "lexicon.json"
    path.write_text(json.dumps({"Xiaomi": "SH AW1 M IY0", "重庆": "zhong4 qing4"}))
    config = TextConfig(lexicon=str(path))
    assert spoken("我的xiaomi", config) == "w o3 d e5 SH AW1 M IY0"
    assert spoken("重庆", config) == "zh ong4 q ing4"
    assert "SH AW1 M IY0" not in spoken("xiaomis", config)


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"a": 1}', '{"重庆": "AA1"}', '{"重庆": "zhong4"}']
)
def test_a_wrong_lexicon_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "lexicon.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TextError, match="lexicon.json"):
        Frontend(TextConfig(lexicon=str(path)))


def test_the_command_shows_the_way_from_text_to_ids(tmp_path, capsys):
    path = tmp_path / "lexicon.json"
    path.write_text(json.dumps({"iPhone": "EY1 F OW1 N"}))
    text = "我有3个iPhone 👍 sooo record <laugh>"
    assert main(["phonemes", text, "--lexicon", str(path), "--tag", "<laugh>"]) == 0
    shown = capsys.readouterr().out
    for part in ("'我有三个'", "'\\U0001f44d'", "(given)", "(stretched)", "(homograph)", "732"):
        assert part in shown


def test_the_command_refuses_an_unknown_tag_with_exit_code_2(capsys):
    assert main(["phonemes", "hi <cough>"]) == 2
    assert "<cough>" in capsys.readouterr().err
