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
from tests.check_phonemes import edits


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


def test_errors_agree_with_a_plain_edit_distance():
    rng = random.Random(3)
    for _ in range(60):
        a, b = ([rng.choice("abcd") for _ in range(rng.randint(0, 12))] for _ in range(2))
        assert count_errors(a, b).errors == edits(a, b)


# reference, heard, language -> substitutions, deletions, insertions, words of the reference
GOLDEN = [
    ("the train is late", "the train is late", "en", (0, 0, 0, 4)),
    ("the train is late", "The train, is LATE!", "en", (0, 0, 0, 4)),
    ("the train is late", "the rain is late", "en", (1, 0, 0, 4)),
    ("the train is late", "the train late", "en", (0, 1, 0, 4)),
    ("the train is late", "the train is very late", "en", (0, 0, 1, 4)),
    ("the train is late", "", "en", (0, 4, 0, 4)),
    ("", "hello there", "en", (0, 0, 2, 0)),
    ("", "", "en", (0, 0, 0, 0)),
    ("it costs 20 dollars", "it costs twenty dollars", "en", (0, 0, 0, 4)),
    ("don't go", "don’t go", "en", (0, 0, 0, 2)),
    ("yes", "no yes no", "en", (0, 0, 2, 1)),
    ("a b c d", "b c d a", "en", (0, 1, 1, 4)),
    ("今天天气很好", "今天天气很好", "zh", (0, 0, 0, 6)),
    ("今天天气很好", "今天，天气很好。", "zh", (0, 0, 0, 6)),
    ("今天天气很好", "今天天汽很好", "zh", (1, 0, 0, 6)),
    ("今天天气很好", "今天天气好", "zh", (0, 1, 0, 6)),
    ("今天天气很好", "今天的天气很好", "zh", (0, 0, 1, 6)),
    ("今天天气很好", "", "zh", (0, 6, 0, 6)),
    ("我有3本书", "我有三本书", "zh", (0, 0, 0, 5)),
    ("我用ＡＢ两种", "我用ab两种", "zh", (0, 0, 0, 5)),
    ("我用AB两种", "我用两种", "zh", (0, 1, 0, 5)),
]


@pytest.mark.parametrize(("reference", "heard", "language", "expected"), GOLDEN)
def test_golden_errors(reference: str, heard: str, language: str, expected: tuple[int, ...]):
    found = word_errors(reference, heard, language)
    counts = (found.substitutions, found.deletions, found.insertions, found.reference)
    assert counts == expected
