"""English words in capitals: USA is spelled, NASA and SHOUTED words are said, iPhone is i phone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from GPT_SoVITS.text.english import dictionary

# Capitals said as a word, not letter by letter.
SPOKEN = frozenset("NASA NATO UNESCO UNICEF OPEC RAM ROM SIM PIN LAN COVID SARS AIDS".split())
# Short words that are hardly ever letters.
EMPHASISED = frozenset(
    "NO NOT SO YES YOU ALL NOW WHY HOW WOW BIG BAD TOO ANY BUT AND THE OUT OFF NEW GO DO MY ME BE "
    "WE HE SHE OH AH HEY YAY LOL".split()
)
LOUD_LENGTH = 4  # letters of a dictionary word in capitals that is taken as a word said loud


def capitals(token: str, edition: str, shouting: bool) -> list[str]:
    """USA -> u s a; iPhone -> i phone; NASA, and SHOUTED words, stay words."""
    base = token.removesuffix("'s").removesuffix("'S")
    ending = "'s" if base != token else ""
    if base.isupper() and len(base) > 1 and base.isalpha():
        if is_word(base, edition) or (shouting and base.lower() in dictionary.load(edition)):
            return [base.lower() + ending]
        return _spelled(base[:-1]) + ([base[-1].lower() + ending] if ending else _spelled(base[-1]))
    if re.fullmatch("[A-Z]{2,}s", token) and not is_word(token[:-1], edition):
        return _spelled(token[:-2]) + [token[-2].lower() + "'s"]  # DVDs
    known = dictionary.load(edition)
    if not re.search("[a-z][A-Z]|[A-Z]{2}", token):
        return [token.lower()]
    pieces = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z']+|-", token)
    result: list[str] = []
    for piece in pieces:
        result += _spelled(piece) if piece.isupper() else [piece.lower()]
    result = [piece for piece in result if piece != "-"]
    all_known = all(piece.lower() in known for piece in result)
    return [token.lower()] if token.lower() in known and not all_known else result


def _spelled(upper: str) -> list[str]:
    """Letters as words; the letter A keeps its capital, which tells it from the article."""
    return ["A" if char == "A" else char.lower() for char in upper]


def is_word(upper: str, edition: str) -> bool:
    """NASA; NO, SO, HUGE said loud; not HTML, which the dictionary has, but spells."""
    if upper in SPOKEN or upper in EMPHASISED:
        return True
    words = dictionary.load(edition)
    if len(upper) < LOUD_LENGTH or upper.lower() not in words:
        return False
    letters = [sound for char in upper.lower() for sound in words.get(char, ())]
    return _unstressed(words[upper.lower()]) != _unstressed(letters)


def _unstressed(sounds: Iterable[str]) -> list[str]:
    return [sound.rstrip("012").replace("AH", "EY") for sound in sounds]


def is_shouting(tokens: list[str], edition: str) -> bool:
    """Whether whole words are written in capitals for effect: STOP IT NOW; not AI, IT, VR."""
    plain = [token for token in tokens if len(token) > 1 and token[0].isalpha()]
    loud = [token for token in plain if token.isupper()]
    words = sum(is_word(token, edition) for token in loud)
    return len(loud) >= 2 and len(loud) * 4 >= len(plain) * 3 and words * 2 >= len(loud)
