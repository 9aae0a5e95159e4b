"""English text -> words and the pause marks `! ? … , . -`: numbers, money, times in words."""

from __future__ import annotations

import re

MARKS = str.maketrans(
    {
        **dict.fromkeys("，；：、;:", ","),
        **dict.fromkeys("。．", "."),
        "！": "!",
        "？": "?",
        "’": "'",
        "‘": "'",
    }
)


def normalize(text: str) -> str:
    """Words, apostrophes and pause marks."""
    from inflect import engine

    speller = engine()
    text = text.translate(MARKS)
    text = re.sub(r"\d+", lambda m: f" {speller.number_to_words(m.group(), andword='')} ", text)
    text = re.sub(r"[^A-Za-z' .,?!…\-]", " ", text)
    return re.sub(r"\s+", " ", text).strip()
