"""Whatever is typed: no crash, no hang, ids in the table, and an honest report of what was left."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from GPT_SoVITS.text import Frontend, TextConfig, TextError
from GPT_SoVITS.text.cleaning import KEPT, SILENT, clean

LIMIT_S = 1.0
ANYTHING = st.text(st.characters(), max_size=200)  # lone surrogates too
ODD = st.text(st.characters(categories=("Cs", "Cf", "Cc", "Co", "Mn", "So", "Lo")), max_size=80)
CHAT = st.text("0123456789.,:/-+%$￥年月日元个 ~×=°你好abcABC'\n　<>[]{}一不儿…。嗯", max_size=150)
TEXTS = ANYTHING | ODD | CHAT
UNHURRIED = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    """Loaded, so that times are those of a text."""
    loaded = Frontend()
    loaded("你好, hello qzxvb")
    return loaded


def hold(frontend: Frontend, text: str) -> None:
    """All that must be true of any text."""
    started = time.process_time()
    try:
        spoken = frontend(text)
    except TextError:
        spoken = None
    assert time.process_time() - started < LIMIT_S
    cleaned = clean(text)
    assert set(cleaned.removed) <= set(text)
    assert len(set(cleaned.removed)) == len(cleaned.removed)
    if spoken is None:
        return
    assert all(0 <= index < len(frontend.symbols) for index in spoken.ids)
    assert len(spoken.ids) == len(spoken.phonemes)
    composed = unicodedata.normalize("NFC", text)  # as languages with letters of their own read it
    assert set(spoken.removed) <= set(text) | set(composed)


@settings(UNHURRIED, max_examples=300)
@given(TEXTS)
def test_any_text_is_spoken_or_refused_in_time(frontend, text):
    hold(frontend, text)


@pytest.mark.slow
@settings(UNHURRIED, max_examples=10_000)
@given(TEXTS)
def test_ten_thousand_texts_are_spoken_or_refused_in_time(frontend, text):
    hold(frontend, text)


@settings(UNHURRIED, max_examples=300)
@given(st.characters())
def test_a_character_is_reported_exactly_when_nothing_of_it_is_left(frontend, char):
    spoken = frontend(f"好{char}好")
    unheard = spoken.phonemes == frontend("好好").phonemes
    silent_by_design = char in SILENT or char.isspace() or clean(char).text in SILENT
    if char in spoken.removed:
        assert unheard
        assert not clean(char).text
    elif unheard:
        assert silent_by_design or unicodedata.category(char) in {"Mn", "Zs"}, repr(char)


@pytest.mark.parametrize(("language", "frame"), [("zh", "好{}好"), ("en", "go {} on")])
def test_every_kept_character_is_heard_in_both_languages(frontend, language, frame):
    without = frontend(frame.format(""), language).phonemes
    kept = sorted(KEPT - SILENT - {" "})
    assert [c for c in kept if frontend(frame.format(c), language).phonemes == without] == []


def test_the_report_names_each_removed_character_once(frontend):
    text = "a\u200bb\u202e\ud800 👍🏽👍 ok 你\u0007好 עב e\u0301"
    expected = ("\u200b", "\u202e", "\ud800", "👍", "🏽", "\u0007", "ע", "ב")
    assert frontend(text).removed == expected


@pytest.mark.parametrize("text", ["", " \n", "👍", "。。。", "\ud800", "\u202e", "<>", "עברית"])
def test_what_has_nothing_to_say_is_refused_in_words(frontend, text):
    with pytest.raises(TextError):
        frontend(text)


LONG = {
    "one digit": "1",
    "grouped": "1,",
    "versions": "1.",
    "ranges": "1-",
    "fractions": "1/",
    "sums": "+1",
    "equations": "1=1",
    "units": "1km",
    "money": "$1",
    "letters": "a",
    "camel": "aB",
    "stutter": "b-",
    "laughter": "ha",
    "initials": "A.",
    "addresses": "a@b.",
    "links": "http://",
    "braces": "a{a}",
    "open braces": "{",
    "third tones": "我想买马",
    "one": "一",
    "not": "不",
    "mixed": "好a",
    "spaces": "1 ",
    "marks": "a.",
    "quotes": "a'",
}


@pytest.mark.parametrize("unit", LONG.values(), ids=LONG.keys())
def test_five_thousand_characters_of_one_kind_take_under_a_second(frontend, unit):
    hold(frontend, (unit * 5000)[:5000])


def test_hanzi_the_cutter_never_saw_take_under_a_second(frontend):
    """12 ms each in jieba's model before rare characters were words of their own."""
    hold(frontend, "".join(chr(0x4E00 + index) for index in range(5000)))


def test_longer_text_than_allowed_is_refused_before_any_work(frontend):
    with pytest.raises(TextError, match="5000 fit"):
        frontend("好" * 5001)


@pytest.mark.parametrize("language", ["ja", "ko", "yue", "all_ja", "EN "])
def test_a_language_nobody_here_speaks_is_refused_with_those_we_do(language: str):
    with pytest.raises(TextError, match=f"language {language!r} is not supported.*zh.*en"):
        Frontend(TextConfig())("hello", language)
