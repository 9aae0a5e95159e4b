"""Any Unicode -> the characters the languages know; the rest is removed and reported.

After this step nothing is dropped in silence: what is left is spoken, makes a pause, or is a quote,
bracket or space. Compatibility forms (Ａ １ ㎏ ½ Ⅳ ﬁ) become what they stand for.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from GPT_SoVITS.text.chinese.normalize import PAUSES, is_hanzi
from GPT_SoVITS.text.chinese.units import NAMES

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
DIGITS = frozenset("0123456789")
SILENT = frozenset("\"“”„‟«»‹›「」『』〈〉《》【】〔〕〖〗()（）[]{}［］｛｝<>＜＞`´_|\\^*#'’‘ʼ＇")
SPACES = frozenset(" \t\u00a0\u2002\u2003\u2009\u200a\u202f\u3000")
KEPT = LETTERS | DIGITS | frozenset(PAUSES) | frozenset(NAMES) | SILENT | frozenset(" ²³℃℉㎡‰")

# One character -> what it is written as here.
SPELLED = {
    **dict.fromkeys("’‘ʼ＇´`", "'"),
    **dict.fromkeys(SPACES, " "),
    **dict.fromkeys("\r\n\v\f\x85\u2028\u2029", "\n"),
    **dict.fromkeys("‐‑‒−﹣－", "-"),
    "–": "–",
    "ß": "ss",
    "æ": "ae",
    "Æ": "Ae",
    "œ": "oe",
    "Œ": "Oe",
    "ø": "o",
    "Ø": "O",
    "đ": "d",
    "Đ": "D",
    "ł": "l",
    "Ł": "L",
    "ð": "th",
    "þ": "th",
    "ı": "i",
    "⁄": "/",
    "∶": ":",
    "﹑": "、",
    "｡": "。",
    "､": "、",
    "‧": "·",
    "•": ",",
    "〜": "～",
    "∼": "～",
    "⋯": "…",
    "№": "No.",
    "º": "°",
    "˚": "°",
    "∙": "·",
}
CIRCLED = frozenset(
    map(chr, (*range(0x2460, 0x249C), *range(0x24EA, 0x2500), *range(0x2776, 0x2794)))
)
# Faces made of marks are silent, as quotes are: :-) :D <3 XD ^_^ T_T, standing alone.
EMOTICONS = re.compile(
    r"(?<!\S)(?:[:;=]'?-?[)(DPpO*|\]\[/\\]{1,4}|<3+|[xX]D+|\^_*\^|[TQ]_+[TQ]|>_+<|-_+-|o_O|O_o|QAQ)"
    r"(?=[\s.,!?，。！？…~～]|$)"
)
# The full-width marks keep their own form: they say that the text around them is Chinese.
FULL_WIDTH = frozenset("，。：；？！、～￥＋＝％＆＠＃（）［］｛｝＜＞")


@dataclass(frozen=True)
class Cleaned:
    """The text that can be read and what was taken out of it, each character once."""

    text: str
    removed: tuple[str, ...]


@lru_cache(maxsize=8192)
def _form(char: str, letters: frozenset[str]) -> str:
    """What is kept of one character; "" when nothing is."""
    if char in letters:
        return char
    if char in SPELLED:
        return SPELLED[char]
    if char in FULL_WIDTH:
        return {"％": "%", "＋": "+", "＝": "=", "＆": "&", "＠": "@", "＃": "#"}.get(char, char)
    if char in KEPT or is_hanzi(char):
        return char
    category = unicodedata.category(char)
    if category in {"Cs", "Co", "Cn", "Cc", "Cf"}:
        return ""
    if category == "Zs":
        return " "
    compatible = unicodedata.normalize("NFKD", char)
    if compatible != char:
        parts = [part for part in compatible if unicodedata.category(part) != "Mn"]
        forms = [_form(part, letters) for part in parts]
        if forms and all(forms):
            spaced = "".join(forms)
            if not spaced.strip():  # ¨ ¯ ¸: a space with an accent
                return ""
            return f" {spaced}" if category == "No" and "/" in spaced else spaced
    return ""


def clean(text: str, letters: frozenset[str] = frozenset()) -> Cleaned:
    """Keep what can be read; combining marks go with their letter, unreported.

    `letters`: those of further languages, beside a to z and hanzi.
    """
    if letters:
        text = unicodedata.normalize("NFC", text)
    kept: list[str] = []
    removed: dict[str, None] = {}
    for char in EMOTICONS.sub(" ", text):
        form = _form(char, letters)
        if form:
            if char in CIRCLED and kept and kept[-1][-1:].isdigit():
                form = f" {form}"  # ①② are two numbers
            kept.append(form)
        elif not _is_part_of_a_letter(char, kept):
            removed.setdefault(char)
    return Cleaned("".join(kept), tuple(removed))


def _is_part_of_a_letter(char: str, before: list[str]) -> bool:
    """A decomposed accent (e + ´)."""
    accent = unicodedata.category(char) == "Mn" and "\u0300" <= char <= "\u036f"
    return accent and bool(before) and before[-1] in LETTERS
