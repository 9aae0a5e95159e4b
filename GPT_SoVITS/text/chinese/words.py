"""Chinese words: jieba's cut with parts of speech, then the merges the tone rules rely on.

The merges are PaddleSpeech's (Apache-2.0), described in the specification: 不 and 一 join the word
they lean on, reduplications and neighbouring third tones join, 儿 joins the word before it.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from GPT_SoVITS.text.once import once


@dataclass(frozen=True)
class Word:
    """A word and its part of speech (jieba's tags)."""

    text: str
    pos: str


@once
def _jieba() -> Any:
    """jieba with its dictionary loaded, in memory only: nothing is written to a cache file."""
    import jieba
    import jieba.posseg

    jieba.setLogLevel(logging.WARNING)
    tokenizer = jieba.Tokenizer()
    with tokenizer.get_dict_file() as file:
        tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(file)
    tokenizer.initialized = True
    tagger = jieba.posseg.POSTokenizer(tokenizer)
    tagger.load_word_tag(tokenizer.get_dict_file())
    return tokenizer, tagger


def cut(text: str) -> list[Word]:
    """Words of a stretch of hanzi, not merged.

    A character jieba's model has never seen is a word of its own: the model would try all of its
    256 states on it, 12 ms a character.
    """
    from jieba.posseg import char_state_tab_P as seen

    _, tagger = _jieba()
    words: list[Word] = []
    for rare, run in itertools.groupby(text, key=lambda char: char not in seen):
        if rare:
            words += [Word(char, "x") for char in run]
        else:
            words += [Word(pair.word, pair.flag) for pair in tagger.cut("".join(run))]
    return words


def is_listed(word: str) -> bool:
    """Whether jieba's dictionary has the word; others it makes up by its model."""
    tokenizer, _ = _jieba()
    return bool(tokenizer.FREQ.get(word))


@lru_cache(maxsize=20_000)
def halves(word: str) -> tuple[str, str]:
    """Search mode's shortest part of the word and the rest, in the word's order."""
    tokenizer, _ = _jieba()
    shortest = min(tokenizer.cut_for_search(word), key=len)
    if word.startswith(shortest):
        return shortest, word[len(shortest) :]
    return word[: -len(shortest)], word[-len(shortest) :]


def merged(words: list[Word], tones: Callable[[str], str]) -> list[Word]:
    """All merges in order. `tones(word)` gives the dictionary tones, a digit per syllable."""
    words = _join_bu(words)
    words = _join_yi(words)
    words = _join_repeated(words)
    words = _join_third_tones(words, tones, whole=True)
    words = _join_third_tones(words, tones, whole=False)
    return _join_er(words)


def _join_bu(words: list[Word]) -> list[Word]:
    """不 + X -> 不X with X's part of speech; 不 at the end stays."""
    result: list[Word] = []
    held = ""
    for word in words:
        if word.text == "不" and not held:
            held = "不"
            continue
        result.append(Word(held + word.text, word.pos))
        held = ""
    return result + [Word("不", "d")] if held else result


def _join_yi(words: list[Word]) -> list[Word]:
    """X 一 X -> X一X for verbs; a 一 left alone joins what follows."""
    joined: list[Word] = []
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else None
        before = joined[-1] if joined else None
        if (
            word.text == "一"
            and before is not None
            and following is not None
            and before.text == following.text
            and before.pos == following.pos == "v"
        ):
            joined[-1] = Word(before.text + "一" + following.text, before.pos)
            index += 2
            continue
        joined.append(word)
        index += 1
    result: list[Word] = []
    for word in joined:
        if result and result[-1].text == "一":
            result[-1] = Word("一" + word.text, result[-1].pos)
        else:
            result.append(word)
    return result


def _join_repeated(words: list[Word]) -> list[Word]:
    """奶 奶 -> 奶奶."""
    result: list[Word] = []
    for word in words:
        if result and result[-1].text == word.text:
            result[-1] = Word(result[-1].text + word.text, result[-1].pos)
        else:
            result.append(word)
    return result


def _join_third_tones(words: list[Word], tones: Callable[[str], str], *, whole: bool) -> list[Word]:
    """Neighbours that are all third tone (`whole`), or that meet in third tones, join up to 3."""
    spoken = [tones(word.text) for word in words]
    result: list[Word] = []
    just_joined = False
    for index, word in enumerate(words):
        if index and not just_joined:
            left, right = spoken[index - 1], spoken[index]
            meet = set(left + right) == {"3"} if whole else left[-1:] == right[:1] == "3"
            before = words[index - 1].text
            repeated = len(before) == 2 and before[0] == before[1]
            if meet and not repeated and len(before) + len(word.text) <= 3:
                result[-1] = Word(result[-1].text + word.text, result[-1].pos)
                just_joined = True
                continue
        result.append(word)
        just_joined = False
    return result


def _join_er(words: list[Word]) -> list[Word]:
    """事 儿 -> 事儿."""
    result: list[Word] = []
    for word in words:
        if result and word.text == "儿":
            result[-1] = Word(result[-1].text + "儿", result[-1].pos)
        else:
            result.append(word)
    return result
