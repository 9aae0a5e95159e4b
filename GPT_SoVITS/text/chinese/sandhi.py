"""Tone sandhi of Mandarin within a word: 不, 一, the neutral tone, third tones, erhua.

A syllable is pinyin with its tone digit, 5 for neutral. Each rule takes a word and its syllables
and returns new syllables. Word lists: PaddleSpeech (Apache-2.0), GPT-SoVITS (MIT); see tables/.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from GPT_SoVITS.text.chinese.words import Word, halves

PARTICLES = frozenset("吧呢哈啊呐噻嘛吖嗨哦哒额滴哩哟喽啰耶喔诶")
COUNTED = frozenset("几有两半多各整每做是")
DIGITS = frozenset("零一二三四五六七八九")
DIRECTIONS = frozenset("上下进出回过起开")

# 真不错 is 真 + 不错, no 看不懂.
ADVERBS = frozenset("真很太也都就才还可并又再从绝毫更最挺倒却实")
# Words whose last character only looks like the particle 的 地 得.
NO_PARTICLE = frozenset(
    "目的 打的 获得 取得 赢得 夺得 博得 求得 分得 难得 心得 所得 应得 特地 就地 当地 本地 外地 "
    "各地".split()
)
# 一 before these is a name in a series: 一月, 一号.
SERIES = frozenset("月号")

Syllables = list[str]


@lru_cache(maxsize=1)
def word_lists() -> dict[str, frozenset[str]]:
    """The lists of tables/tone_words.json."""
    table = files("GPT_SoVITS.text").joinpath("tables/tone_words.json")
    content = json.loads(table.read_text(encoding="utf-8"))
    return {name: frozenset(words.split()) for name, words in content.items()}


def toned(syllable: str, tone: str) -> str:
    """The syllable in another tone."""
    return syllable[:-1] + tone


def tone(syllable: str) -> str:
    """The syllable's tone digit."""
    return syllable[-1:]


def apply(word: Word, syllables: Syllables, *, erhua: bool = True) -> Syllables:
    """All rules in order. `erhua`: 儿 takes the tone before it (v2); v1 leaves er2."""
    if len(word.text) != len(syllables):
        return syllables
    for rule in (bu, yi, neutral, third):
        syllables = rule(word, list(syllables))
    return er(word, syllables) if erhua else syllables


def bu(word: Word, syllables: Syllables) -> Syllables:
    """看不懂: neutral; 不 before a fourth tone: second."""
    text = word.text
    if len(text) == 3 and text[1] == "不" and text[0] not in ADVERBS:
        syllables[1] = toned(syllables[1], "5")
        return syllables
    for index, char in enumerate(text[:-1]):
        if char == "不" and tone(syllables[index + 1]) == "4":
            syllables[index] = toned(syllables[index], "2")
    return syllables


def yi(word: Word, syllables: Syllables) -> Syllables:
    """一: a digit is unchanged, 看一看 neutral, 第一 first; before a fourth tone 2, else 4."""
    text = word.text
    if "一" not in text or all(char.isnumeric() for char in text):
        return syllables
    if len(text) == 3 and text[1] == "一" and text[0] == text[2]:
        syllables[1] = toned(syllables[1], "5")
        return syllables
    if text.startswith("第一"):
        syllables[1] = toned(syllables[1], "1")
        return syllables
    first_half = len(halves(text)[0]) if len(text) > 2 else 0
    for index, char in enumerate(text[:-1]):
        if char != "一" or _is_digit(text, index) or first_half == index + 1 > 1:
            continue
        before_fourth = tone(syllables[index + 1]) == "4"
        syllables[index] = toned(syllables[index], "2" if before_fourth else "4")
    return syllables


def _is_digit(text: str, index: int) -> bool:
    """Whether this 一 is a digit or a name: 一九九八年, 十一楼, 一月."""
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    if before == "十" or (after in SERIES and not before):
        return True
    return any(char in DIGITS for char in (before, after) if char)


def neutral(word: Word, syllables: Syllables) -> Syllables:
    """Particles, suffixes, reduplications and listed words end in the neutral tone."""
    text, pos = word.text, word.pos
    lists = word_lists()
    listed, exceptions = lists["neutral_final"], lists["not_neutral_v1v2"]
    if pos[:1] in {"n", "v", "a"} and text not in exceptions:
        for index in range(1, len(text)):
            crossing = len(text) == 4 and index == 2  # 银行行长 is 银行 + 行长
            if text[index] == text[index - 1] and not crossing:
                syllables[index] = toned(syllables[index], "5")
    if _is_potential(text, pos):
        syllables[1:] = ["de5", "liao3" if text[2] == "了" else syllables[2]]
    if _ends_neutral(text, pos):
        syllables[-1] = toned(syllables[-1], "5")
    elif (place := _counted_ge(text)) is not None:
        syllables[place] = toned(syllables[place], "5")
    elif text in listed or text[-2:] in listed:
        syllables[-1] = toned(syllables[-1], "5")
    if len(text) > 1:
        end = 0
        for part in halves(text):
            end += len(part)
            if part and (part in listed or part[-2:] in listed):
                syllables[end - 1] = toned(syllables[end - 1], "5")
    return syllables


def _is_potential(text: str, pos: str) -> bool:
    """看得见, 多得很: 得 between a verb or an adjective and what comes of it."""
    joins = len(text) == 3 and text[1] == "得" and text[0] not in "不总所获须终毋何没修"
    return joins and (pos[:1] in {"v", "l", "a", "d"} or text[2] == "很")


def _ends_neutral(text: str, pos: str) -> bool:
    """Whether the word's last character is one the rules make neutral."""
    last = text[-1]
    if last in PARTICLES:
        return True
    if last in "的地得":
        place = last == "地" and len(text) > 1 and pos[:1] in {"n", "s", "f"}
        return not place and text not in NO_PARTICLE
    if len(text) == 1:
        return last in "了着过" and pos in {"ul", "uz", "ug"}
    if last in "们子":
        return pos in {"r", "n"} and text not in word_lists()["not_neutral_v1v2"]
    if last in "上下里":
        return pos in {"s", "l", "f"}
    return last in "来去" and text[-2] in DIRECTIONS


def _counted_ge(text: str) -> int | None:
    """Where the measure word 个 follows a count, or stands alone."""
    place = text.find("个")
    if place > 0 and (text[place - 1].isnumeric() or text[place - 1] in COUNTED):
        return place
    return 0 if text == "个" else None


def third(word: Word, syllables: Syllables) -> Syllables:
    """3-3 -> 2-3 within words of two, three (by their parts) and four (two by two) syllables."""
    if len(syllables) == 2:
        return _pair(syllables)
    if len(syllables) == 4:
        return _pair(syllables[:2]) + _pair(syllables[2:])
    if len(syllables) != 3:
        return syllables
    cut = len(halves(word.text)[0])
    if all(tone(syllable) == "3" for syllable in syllables):
        rising = (0, 1) if cut == 2 else (1,)
        return [
            toned(syllable, "2") if index in rising else syllable
            for index, syllable in enumerate(syllables)
        ]
    left, right = syllables[:cut], syllables[cut:]
    left, right = _pair(left), _pair(right)
    if (
        left
        and right
        and tone(right[0]) == "3"
        and tone(left[-1]) == "3"
        and not all(tone(syllable) == "3" for syllable in right)
    ):
        left[-1] = toned(left[-1], "2")
    return left + right


def _pair(syllables: Syllables) -> Syllables:
    """Two third tones: the first rises."""
    if len(syllables) == 2 and tone(syllables[0]) == tone(syllables[1]) == "3":
        return [toned(syllables[0], "2"), syllables[1]]
    return list(syllables)


def er(word: Word, syllables: Syllables) -> Syllables:
    """花园儿: a suffix 儿 takes the tone before it; 女儿, 婴儿 and names keep er2."""
    text = word.text
    if not text.endswith("儿") or not syllables[-1].startswith("er"):
        return syllables
    if tone(syllables[-1]) == "1":
        syllables[-1] = "er2"
    lists = word_lists()
    suffix = text in lists["erhua_forced"] or not (
        text in lists["erhua_forbidden"] or word.pos in {"a", "j", "nr"}
    )
    if suffix and len(syllables) > 1 and tone(syllables[-1]) in "25":
        syllables[-1] = toned(syllables[-1], tone(syllables[-2]))
    return syllables
