"""Error rates: the shared text form, known edits, and agreement with another implementation."""

from __future__ import annotations

import random

import pytest

from GPT_SoVITS.evaluation.metrics.words import (
    character_errors,
    corpus_rate,
    count_errors,
    mean_rate,
    spoken_form,
    word_errors,
)


@pytest.mark.parametrize(
    ("text", "language", "form"),
    [
        ("I'll be THERE, at 9.", "en", "i'll be there at nine"),
        ("‘Ｈｅｌｌｏ’ — “world”!", "en", "hello world"),
        ("It cost $5.", "en", "it cost five dollars"),
        ("我９点到。", "zh", "我 九 点 到"),
        ("他買了25個蘋果！", "auto", "他 买 了 二 十 五 个 苹 果"),
        ("", "en", ""),
    ],
)
def test_spoken_form_is_the_same_for_every_way_to_write_it(text: str, language: str, form: str):
    assert spoken_form(text, language) == form


def test_known_edits_are_counted_by_kind():
    found = word_errors("the big cat sat on the mat", "the cat sit on the mat today", "en")
    assert (found.substitutions, found.deletions, found.insertions) == (1, 1, 1)
    assert found.rate == pytest.approx(3 / 7)


def test_chinese_words_are_characters():
    assert word_errors("我们七点吃饭。", "我们七点吃面", "zh").rate == pytest.approx(1 / 6)
    assert character_errors("我们七点吃饭。", "我们七点吃面", "zh").reference == 6


def test_nothing_heard_is_all_deleted_and_nothing_said_counts_as_one_error():
    assert word_errors("good morning", "", "en").rate == 1.0
    assert word_errors("...", "good", "en").rate == 1.0
    assert word_errors("...", "", "en").rate == 0.0


def test_corpus_and_mean_rates_weigh_utterances_differently():
    long, short = count_errors(list("abcdefgh"), list("abcdefgh")), count_errors(["x"], ["y"])
    assert corpus_rate([long, short]) == pytest.approx(1 / 9)
    assert mean_rate([long, short]) == pytest.approx(1 / 2)
    with pytest.raises(ValueError, match="no utterances"):
        corpus_rate([])


def levenshtein(a: list[str], b: list[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def test_errors_agree_with_a_plain_edit_distance():
    rng = random.Random(3)
    for _ in range(60):
        a, b = ([rng.choice("abcd") for _ in range(rng.randint(0, 12))] for _ in range(2))
        assert count_errors(a, b).errors == levenshtein(a, b)
