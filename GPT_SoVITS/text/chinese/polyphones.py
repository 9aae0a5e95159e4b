"""Readings of single characters that depend on their neighbours: 还钱, 很长, 数一数, 教书.

A dictionary of phrases reads the characters inside known words. What stands alone as a word is read
here by its part of speech and the words around it, where the commonest reading would be wrong.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from GPT_SoVITS.text.chinese.words import Word, is_listed


@dataclass(frozen=True)
class Rule:
    """A character as a word of its own, read so between such neighbours."""

    char: str
    pinyin: str
    before: str = ""
    """Regular expression that ends the text before; empty: anything."""
    after: str = ""
    """Regular expression that begins the text after; empty: anything."""
    pos: str = ""
    """Parts of speech, by their beginning, separated by |; empty: any."""


_DEGREE = "(?:很|太|最|更|好|真|多|多么|这么|那么|挺|不|比较|非常|特别|全|越|再|够|有点|一样|米|里)"
_PERSON = "(?:我|你|他|她|它|咱|们|谁|老师|大家|孩子|学生|人|小)"
# After a pronoun or an adverb 得 is "must", unless it is "get": 得了第一, 得奖.
_GETTING = "(?:了|过|到|第|奖|分|知|病|出|一等|满分)"

RULES: tuple[Rule, ...] = (
    Rule("长", "chang2", before=_DEGREE, after="(?!大|高|得|成|出|了)"),
    Rule("长", "chang2", after="(?:短|度|约|达|乘|的|$|宽)"),
    Rule("还", "huan2", before="(?:没|要|来|去|得|该|请|先|没有)", after="(?:我|你|他|她|完)"),
    Rule("还", "huan2", after="(?:钱|书|给|清|债|款|你钱|我钱|他钱|回来|回去)"),
    Rule("数", "shu3", after="(?:一|两|三|几|数|清|到|完|不|着|了|出|钱)", pos="v|n|m"),
    Rule("数", "shu3", before="(?:要|来|再|去|我|你|他|她|能|没)", after="", pos="v|n"),
    Rule("教", "jiao1", after=f"(?:{_PERSON}|书|过|了|得|会|不|数|语|英|中|唱|画|做)"),
    Rule("背", "bei1", after="(?:着|起|上书|了一个|个|包|得动|不动)"),
    Rule("种", "zhong4", after="(?:了|树|花|菜|地|下|上|过|着|田|草|果|瓜|粮|水稻|植)"),
    Rule("种", "zhong4", pos="v"),
    Rule("量", "liang2", after="(?:一量|一下|体温|身高|血压|尺寸|体重|了量)"),
    Rule("削", "xiao1", after="(?:了|个|苹果|皮|铅笔|水果|掉|成|尖)"),
    Rule("曾", "zeng1", after="(?:先生|女士|老师|小姐|总|经理|教授|医生|国藩|子)"),
    Rule("单", "shan4", after="(?:先生|女士|老师|小姐|田芳)"),
    Rule("地", "de5", pos="uv"),
    Rule("得", "de2", after=_GETTING),
    Rule("得", "dei3", before="[我你他她它们谁还就可总都也非必]", after="(?!的|很|太|$)"),
    Rule("得", "dei3", before="^", after="(?!的|很|太|$)"),
    Rule("行", "hang2", before="(?:一|两|三|几|每|这|那|第)", after="(?:字|诗|代码|文|树|泪)"),
    Rule("倒", "dao4", after="(?:水|茶|酒|车|退|是|垃圾|影|一杯|了一杯)"),
    Rule("假", "jia4", before="(?:请|放|休|病|事|暑|寒|产|长|个)"),
    Rule("发", "fa4", before="(?:理|染|烫|美|假|长|短|白|黑)"),
    Rule("好", "hao4", after="(?:学|客|奇|吃懒|酒|赌|色)"),
    Rule("当", "dang4", after="(?:真|作|成|铺|晚|天晚)"),
    Rule("只", "zhi1", before="(?:一|二|两|三|四|五|六|七|八|九|十|几|每|这|那|多少|百|千|万)"),
    Rule("为", "wei4", before="", after="(?:什么|何|了|你|我|他|她|它|此)"),
    Rule("分", "fen4", before="(?:水|养|盐|糖|过|本|缘|天|成)"),
    Rule("处", "chu3", after="(?:理|于|罚|分|境|事|在)"),
    Rule("降", "xiang2", before="(?:投|劝)", after=""),
    Rule("都", "du1", after="市"),
    Rule("欸", "ei4"),
    Rule("诶", "ei4"),
)  # fmt: skip

_BY_CHAR: dict[str, list[Rule]] = {}
for _rule in RULES:
    _BY_CHAR.setdefault(_rule.char, []).append(_rule)


def alone(words: list[Word]) -> list[int]:
    """Places of the characters that are words of their own: no phrase reads them."""
    ends = list(itertools.accumulate(len(word.text) for word in words))
    return [end - 1 for word, end in zip(words, ends) if len(word.text) == 1]


def readings(words: list[Word]) -> dict[int, str]:
    """Position of a character in the clause -> its pinyin, where a rule decides it."""
    text = "".join(word.text for word in words)
    found: dict[int, str] = {}
    place = 0
    for word in words:
        for rule in _BY_CHAR.get(_standing_alone(word), ()):
            if _fits(rule, word, text[:place], text[place + 1 :]):
                found[place] = rule.pinyin
                break
        place += len(word.text)
    return found


def _standing_alone(word: Word) -> str:
    """The character; of 得去, which jieba only guesses to be a word, the 得."""
    return "得" if word.text[0] == "得" and not is_listed(word.text) else word.text


def _fits(rule: Rule, word: Word, before: str, after: str) -> bool:
    if rule.pos and not any(word.pos.startswith(pos) for pos in rule.pos.split("|")):
        return False
    if rule.before and not re.search(rf"{rule.before}$", before):
        return False
    return not rule.after or re.match(rule.after, after) is not None
