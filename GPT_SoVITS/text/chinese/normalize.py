"""Chinese text -> hanzi and the pause marks `! ? … , . -`: numbers, units, dates in words."""

from __future__ import annotations

import re
from functools import lru_cache

from GPT_SoVITS.text.chinese.cardinals import decimal

MARKS = str.maketrans(
    {
        **dict.fromkeys("：；，·、/:;", ","),
        **dict.fromkeys("。．\n", "."),
        "！": "!",
        "？": "?",
        "～": "…",
        "~": "…",
        "嗯": "恩",
        "呣": "母",
    }
)


@lru_cache(maxsize=1)
def _simplifier():
    from opencc import OpenCC

    return OpenCC("t2s")


def is_hanzi(char: str) -> bool:
    """Whether the character is a CJK ideograph."""
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf" or char == "〇"


def normalize(text: str) -> str:
    """Numbers in words, traditional to simplified, marks reduced."""
    text = _simplifier().convert(text)
    text = re.sub(r"\d+(?:\.\d+)?", lambda match: decimal(match.group()), text)
    return punctuate(text)


def punctuate(text: str) -> str:
    """Only hanzi and pause marks; of a run of marks the first stays."""
    text = text.replace("...", "…").translate(MARKS)
    text = "".join(char for char in text if is_hanzi(char) or char in "!?….,-")
    return re.sub(r"([!?….,\-])[!?….,\-]+", r"\1", text)
