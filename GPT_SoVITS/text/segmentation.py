"""Mixed text -> stretches of one language each; digits are read in the language around them.

    我买了3个iPad，花了9000元。   ->   zh 我买了3个 | en iPad， | zh 花了9000元。

Marks and symbols go with what stands before them. A number takes its neighbours' language; where
they differ it stays with the side it is not divided from by a pause, else with the longer one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from GPT_SoVITS.text.chinese.units import PATTERN as UNIT
from GPT_SoVITS.text.languages import SCRIPTS, Scripts

PAUSE = ",.!?，。！？、；;:："
_SIGN = r"[-−+]?[$€£￥¥]?"
_INSIDE = r"[\d.,:：/~～\-−+×÷*=°%‰℃℉]"
NUMBER = re.compile(
    rf"{_SIGN}\d(?:{_INSIDE}*[\d%‰℃℉])?[%‰℃℉$€£￥¥²³]?(?:°[CF])?(?:\s?{UNIT}(?![A-Za-z]))?"
)
WEB = re.compile(r"(?:https?://|www\.)[\w./-]*\w|[\w.-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


@dataclass
class Stretch:
    """A piece of text and its language; None while it is undecided."""

    language: str | None
    text: str


def segments(
    text: str, *, default: str = "zh", latin: str = "en", scripts: Scripts = SCRIPTS
) -> list[tuple[str, str]]:
    """(language, text) pieces that concatenate to the text.

    `default` is for bare numbers, `latin` for words of a to z alone.
    """
    pieces = _attached(_pieces(text, latin, scripts))
    _decide_numbers(pieces, default)
    joined: list[tuple[str, str]] = []
    for piece in pieces:
        language = piece.language or default
        if joined and joined[-1][0] == language:
            joined[-1] = (language, joined[-1][1] + piece.text)
        else:
            joined.append((language, piece.text))
    return joined


def _pieces(text: str, latin: str, scripts: Scripts) -> list[tuple[str, str]]:
    """Runs of one kind: a language, number, other."""
    result: list[tuple[str, str]] = []
    index = 0
    while index < len(text):
        kind, end = "other", index + 1
        if match := WEB.match(text, index):
            kind, end = "en", match.end()
        elif run := scripts.run(text, index, latin=latin):
            kind, end = run
        elif match := NUMBER.match(text, index):
            kind, end = "number", match.end()
        result.append((kind, text[index:end]))
        index = end
    return result


def _attached(pieces: list[tuple[str, str]]) -> list[Stretch]:
    """Marks and spaces go with the stretch before them, leading ones with the one after."""
    result: list[Stretch] = []
    leading = ""
    for kind, text in pieces:
        language = kind if kind not in {"number", "other"} else None
        if kind == "other":
            if result:
                result[-1].text += text
            else:
                leading += text
        elif result and kind != "number" and result[-1].language == language:
            result[-1].text += text
        else:
            result.append(Stretch(language, leading + text))
            leading = ""
    return result or [Stretch(None, leading)]


def _decide_numbers(pieces: list[Stretch], default: str) -> None:
    """Give each number its language, from left to right."""
    for index, piece in enumerate(pieces):
        if piece.language is not None:
            continue
        before = pieces[index - 1] if index else None
        after = next((other for other in pieces[index + 1 :] if other.language), None)
        adjacent = index + 1 < len(pieces) and pieces[index + 1] is after
        if before is None or after is None:
            only = before or after
            piece.language = only.language if only else default
        elif before.language == after.language:
            piece.language = before.language
        elif before.text.rstrip()[-1:] in set(PAUSE):
            piece.language = after.language
        elif before.language == "en" and piece.text[:1] in "-−" and before.text[-1:].isalpha():
            piece.language = "en"  # COVID-19, GPT-4
        elif len(before.text.strip()) == 1 and before.language == "en":
            piece.language = after.language  # T60, v2: the letter alone says nothing
        elif piece.text.rstrip()[-1:] in set(PAUSE) or not adjacent:
            piece.language = before.language
        else:
            longer = after if len(after.text) > len(before.text) else before
            piece.language = longer.language
