"""Cutting: the published methods equal their golden cuts, our own loses nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GPT_SoVITS.text import TextError, cuts


def test_published_cuts_equal_the_golden_ones(shared):
    path = shared / "golden" / "text" / "public" / "cuts.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        for method, wanted in row["cuts"].items():
            assert cuts.raw_cut(row["text"], method) == wanted
        for method, wanted in row["pre_seg"].items():
            if isinstance(wanted, dict):
                with pytest.raises(TextError):
                    cuts.published(row["text"], method, language=row["lang"])
            else:
                assert cuts.published(row["text"], method, language=row["lang"]) == wanted


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.text(st.characters() | st.sampled_from("你好ab 。，.!?\n…"), max_size=300))
def test_our_cut_loses_no_character_and_is_bounded(text):
    chunks = cuts.cut(text)
    assert "".join(chunks) == text
    assert all(0 < len(chunk) <= 320 for chunk in chunks)


@pytest.mark.parametrize("longest", [5, 50, 1000])
def test_a_shorter_longest_piece_makes_more_and_loses_nothing(longest):
    text = (
        "我们今天先看第一部分，然后再看第二部分。You may ask at any time, but please be brief!" * 6
    )
    chunks = cuts.cut(text, longest=longest)
    assert "".join(chunks) == text
    assert len(chunks) > {5: 24, 50: 11, 1000: 0}[longest]
    assert all(cuts.weight(chunk) <= 4 * longest for chunk in chunks)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(
    st.text(st.characters() | st.sampled_from("你好ab 。，.!?\n…"), max_size=300),
    st.sampled_from(sorted(cuts.METHODS)),
)
def test_published_methods_cut_or_refuse(text, method):
    try:
        chunks = cuts.cut(text, method)
    except TextError:
        return
    assert all(chunk.strip() for chunk in chunks)


def test_our_cut_keeps_sentences_whole_and_joins_short_ones():
    text = "Dr. Smith paid $3.50. He left! 好的。我们明天见。"
    assert cuts.cut(text) == [text]
    assert cuts.cut("好" * 39 + "。" + "你" * 30 + "。") == ["好" * 39 + "。", "你" * 30 + "。"]


def test_an_unknown_cut_names_the_known_ones():
    with pytest.raises(TextError, match="meaning, cut0"):
        cuts.cut("a", "cut9")
