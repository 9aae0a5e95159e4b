"""Normalised Chinese -> phonemes: words, readings, tone sandhi, initials and finals."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from GPT_SoVITS.text.chinese import polyphones, sandhi
from GPT_SoVITS.text.chinese.pinyin import split_syllable
from GPT_SoVITS.text.chinese.polyphone_model import PolyphoneModel
from GPT_SoVITS.text.chinese.words import Word, cut, merged

MARKS = "!?….,-"
LONGEST = 200  # hanzi without a mark that are cut into words together
# Stretches in which 一 is a digit or a date, whatever words jieba makes of them.
DATES = re.compile(
    r"[零一二三四五六七八九]{4}(?=年)|(?<=[年月])[一二三四五六七八九十]{1,3}(?=[月日号])|"
    r"(?<![一二三四五六七八九十])一(?=月)|(?<=[零一二三四五六七八九十百]比)一(?![个些点])"
)


@dataclass(frozen=True)
class Spoken:
    """One character: the phonemes it makes, the pinyin behind them, the word it is in."""

    char: str
    phonemes: tuple[str, ...]
    pinyin: str = ""
    word: str = ""


@lru_cache(maxsize=1)
def _overrides() -> dict[str, tuple[str, ...]]:
    """Word readings that correct pypinyin's phrases (tables/readings.json)."""
    table = files("GPT_SoVITS.text").joinpath("tables/readings.json")
    content = json.loads(table.read_text(encoding="utf-8"))
    return {word: tuple(reading.split()) for word, reading in content.items() if word[0] != "_"}


@lru_cache(maxsize=20_000)
def reading(word: str) -> tuple[str, ...]:
    """Dictionary pinyin of a word, one syllable a character, neutral tone 5."""
    from pypinyin import Style, lazy_pinyin

    if word in _overrides():
        return _overrides()[word]
    return tuple(lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True))


def _tones(word: str) -> str:
    return "".join(syllable[-1:] for syllable in reading(word))


@lru_cache(maxsize=4096)
def pronounce_clause(
    clause: str, *, erhua: bool = True, model: PolyphoneModel | None = None
) -> tuple[Spoken, ...]:
    """A stretch of hanzi without marks; a model, where there is one, goes before the rules."""
    words = cut(clause)
    chosen = polyphones.readings(words)
    if model is not None:
        chosen |= model.readings(clause, polyphones.alone(words))
    spoken: list[Spoken] = []
    for word in merged(words, _tones):
        syllables = list(reading(word.text))
        start = len(spoken)
        for index in range(len(syllables)):
            syllables[index] = chosen.get(start + index, syllables[index])
        said = sandhi.apply(word, list(syllables), erhua=erhua)
        for index, syllable in enumerate(said):
            if syllable in {"de5", "dei5"} and start + index in chosen:
                said[index] = chosen[start + index]  # 得 that is a verb is no particle
        spoken += _phonemes(word, said)
    for match in DATES.finditer(clause):
        for place in range(*match.span()):
            if clause[place] == "一" and len(spoken) == len(clause):
                spoken[place] = replace(spoken[place], phonemes=("y", "i1"), pinyin="yi1")
    return tuple(spoken)


def _phonemes(word: Word, syllables: list[str]) -> list[Spoken]:
    """Two phonemes a character; a character without a reading is UNK UNK."""
    if len(syllables) != len(word.text):
        syllables = [*syllables, *[""] * len(word.text)][: len(word.text)]
    return [
        Spoken(char, split_syllable(syllable) or ("UNK", "UNK"), syllable, word.text)
        for char, syllable in zip(word.text, syllables)
    ]


def pronounce(
    normalized: str, *, erhua: bool = True, model: PolyphoneModel | None = None
) -> list[Spoken]:
    """Hanzi and marks -> per character its phonemes."""
    spoken: list[Spoken] = []
    for clause in re.findall(rf"[{MARKS}]|[^{MARKS}]{{1,{LONGEST}}}", normalized):
        if clause in MARKS:
            spoken.append(Spoken(clause, (clause,)))
        else:
            spoken += pronounce_clause(clause, erhua=erhua, model=model)
    return spoken
