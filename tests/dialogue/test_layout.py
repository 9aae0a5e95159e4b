"""The sequence format: literal columns, the prefix property, history windows and dropout."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GPT_SoVITS.dialogue.history import HistoryDropout, drop_history, select_history
from GPT_SoVITS.dialogue.layout import (
    EOS,
    IGNORE,
    EncodedTurn,
    LayoutConfig,
    LayoutError,
    build_sequence,
    roles,
)

FIELDS = ("ids", "is_text", "position", "segment", "turn", "role", "hidden")


def turn(speaker: str, phonemes: int, codes: int, index: int, *, bert: bool = False) -> EncodedTurn:
    features = np.full((phonemes, 1024), index + 1, np.float32) if bert else None
    start = 100 * (index + 1)
    return EncodedTurn(
        speaker, np.arange(phonemes), np.arange(start, start + codes), features, index
    )


def test_interleaved_columns_are_the_drawn_ones():
    history = [turn("a", 3, 4, 4)]
    columns = build_sequence(history, turn("b", 2, 3, 5), LayoutConfig()).columns()
    assert columns.segment.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3]
    assert columns.position.tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 0, 1, 2]
    assert columns.turn.tolist() == [4] * 7 + [5] * 5
    assert columns.role.tolist() == [1] * 7 + [0] * 5
    assert columns.target.tolist() == [IGNORE] * 8 + [600, 601, 602, EOS]
    every = build_sequence(history, turn("b", 2, 3, 5), LayoutConfig(loss_on="all_turns"))
    expected = [IGNORE] * 2 + [500, 501, 502, 503, EOS, IGNORE, 600, 601, 602, EOS]
    assert every.columns().target.tolist() == expected


def test_grouped_columns_have_two_segments_and_start_the_loss_before_the_response():
    history = [turn("a", 2, 2, 0)]
    columns = build_sequence(history, turn("b", 3, 2, 1), LayoutConfig(order="grouped")).columns()
    assert columns.segment.tolist() == [0] * 5 + [1] * 4
    assert columns.position.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert columns.target.tolist() == [IGNORE] * 6 + [200, 201, EOS]
    assert columns.response_start == (1, 2, 1, 0)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6), st.booleans()), max_size=4),
    order=st.sampled_from(["interleaved", "grouped"]),
    keep=st.sampled_from(["full", "text", "speech", "none"]),
)
def test_without_response_codes_the_columns_are_a_prefix(sizes, order, keep):
    history = [turn("ab"[i % 2], x, t, i, bert=b) for i, (x, t, b) in enumerate(sizes)]
    response = turn("a", 3, 4, len(history))
    layout = LayoutConfig(order=order)
    whole = build_sequence(history, response, layout, keep=keep).columns()
    before = build_sequence(
        history, response, layout, keep=keep, include_response_codes=False
    ).columns()
    n = len(before)
    assert n == len(whole) - 4
    for name in FIELDS:
        assert np.array_equal(getattr(before, name), getattr(whole, name)[:n])
    assert (before.bert is None) == (whole.bert is None)
    assert before.bert is None or np.array_equal(before.bert, whole.bert[:n])
    first = tuple(int(getattr(whole, k)[n]) for k in ("segment", "position", "turn", "role"))
    assert before.response_start == whole.response_start == first
    assert not (whole.ids[~whole.is_text] == EOS).any()
    assert whole.target[n - 1 :].tolist() == [*response.codes, EOS]


def test_the_end_is_never_an_input():
    with pytest.raises(LayoutError, match="EOS is no input"):
        EncodedTurn("a", np.arange(2), np.array([3, EOS]))


def test_roles_name_the_agent_the_user_and_anyone_else():
    assert roles(["u", "x", "a", "u"], "a") == [1, 2, 0, 1]
    assert roles(["x", "u"], "a", user="u") == [2, 1]


def test_the_window_is_the_last_turns_and_growing_drops_the_oldest_half():
    turns = [turn("a", 2, 3, i) for i in range(6)]
    assert select_history(turns, 4, LayoutConfig(history_turns=2)) == [2, 3]
    assert select_history(turns, 1, LayoutConfig(history_turns=2)) == [0]
    growing = LayoutConfig(history_mode="growing", history_tokens=20)
    assert select_history(turns, 4, growing) == [0, 1, 2, 3]
    assert select_history(turns, 5, growing) == [3, 4]
    assert select_history(turns[:5], 5, growing) == select_history(turns, 5, growing)


def test_history_dropout_is_the_same_again_and_follows_its_probabilities():
    dropout = HistoryDropout()
    draws = [drop_history(dropout, seed=1, epoch=0, sample_id=str(i)) for i in range(4000)]
    again = [drop_history(dropout, seed=1, epoch=0, sample_id=str(i)) for i in range(4000)]
    assert draws == again
    counts = Counter(draws)
    assert abs(counts["full"] / 4000 - 0.7) < 0.03
    assert all(abs(counts[k] / 4000 - 0.1) < 0.02 for k in ("text", "speech", "none"))
    other = [drop_history(dropout, seed=1, epoch=1, sample_id=str(i)) for i in range(4000)]
    assert other != draws


def test_a_layout_says_what_is_wrong():
    with pytest.raises(LayoutError, match="layout.order is 'groupd'"):
        LayoutConfig(order="groupd")
    with pytest.raises(LayoutError, match="grouped"):
        LayoutConfig(order="grouped", loss_on="all_turns")
