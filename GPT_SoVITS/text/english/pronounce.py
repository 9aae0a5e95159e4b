"""Normalised English -> phonemes: dictionary, possessives, letters, predictor."""

from __future__ import annotations

import re

from GPT_SoVITS.text.english import dictionary
from GPT_SoVITS.text.english.predictor import predict

VOICELESS = frozenset("P T K F TH HH".split())
SIBILANTS = frozenset("S Z SH ZH CH JH".split())


def letter(char: str, words: dictionary.Pronunciations) -> tuple[str, ...]:
    """The name of a letter."""
    return ("EY1",) if char == "a" else words.get(char, ())


def word(text: str, words: dictionary.Pronunciations) -> tuple[str, ...]:
    """ARPAbet of one word."""
    lower = text.lower().strip("-")
    if not lower.strip("'"):
        return ()
    if text == "A":
        return ("EY1",)
    if lower in words:
        return words[lower]
    if lower.endswith("'s"):
        stem = word(lower[:-2], words)
        last = stem[-1:] and stem[-1]
        if last in VOICELESS:
            return (*stem, "S")
        return (*stem, "AH0", "Z") if last in SIBILANTS else (*stem, "Z")
    if "-" in lower or "'" in lower:
        return tuple(phone for part in re.split(r"[-']", lower) for phone in word(part, words))
    if len(lower) <= 3:
        return tuple(phone for char in lower for phone in letter(char, words))
    return predict(lower)


def pronounce(normalized: str, *, edition: str = "cmudict") -> tuple[str, ...]:
    """Phonemes of normalised text, pause marks included."""
    words = dictionary.load(edition)
    result: list[str] = []
    for token in re.findall(r"[A-Za-z'][A-Za-z'\-]*|[!?….,]", normalized):
        result += word(token, words) if token[0].isalpha() or token[0] == "'" else (token,)
    return tuple(result)
