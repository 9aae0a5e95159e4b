"""The languages a frontend reads: one entry each, with its letters and the class that speaks it.

    Ĉu vi parolas English 吗？      eo | en | zh      which letters belong to whom: `Scripts`

How a language is added, step by step: docs/extending.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from GPT_SoVITS.text.chinese.normalize import is_hanzi
from GPT_SoVITS.text.chinese.speech import Chinese
from GPT_SoVITS.text.config import TextConfig
from GPT_SoVITS.text.english.speech import English
from GPT_SoVITS.text.sequence import Segment


class TextFrontend(Protocol):
    """One language: a folder with a class that speaks cleaned text of that language."""

    def speak(self, text: str) -> Segment:
        """Normalise and pronounce."""


@dataclass(frozen=True)
class Language:
    """How a language is recognised and who speaks it."""

    open: Callable[[TextConfig], TextFrontend]
    """Its frontend under a configuration; called once for every `Frontend`."""
    letters: str = ""
    """Letters that no other language has, in lower case: text with them is this language's."""
    latin: bool = False
    """Written with a to z: words of them alone are read in it where the text is said to be."""


def _chinese(config: TextConfig) -> TextFrontend:
    return Chinese(erhua=config.symbols == "v2", polyphone_model=config.polyphone_model)


def _english(config: TextConfig) -> TextFrontend:
    return English(config.english_dictionary, tagger=config.english_tagger)


LANGUAGES: dict[str, Language] = {
    "zh": Language(_chinese),  # its letters are the hanzi
    "en": Language(_english, latin=True),
}
"""Code -> language; the codes are those of `GPT_SoVITS.dialogue.turn.Language`."""


class Scripts:
    """Whose letters they are; words of a to z alone are English unless the caller says not."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._owner = {
            letter: code
            for code, language in languages.items()
            for letter in language.letters + language.letters.upper()
        }
        self.letters = frozenset(self._owner)
        latin = "".join(one.letters for one in languages.values() if one.latin)
        self._words = [_run("A-Za-z" + _class(latin))]
        self._words += [
            _run(_class(one.letters)) for one in languages.values() if one.letters and not one.latin
        ]

    def run(self, text: str, index: int, *, latin: str = "en") -> tuple[str, int] | None:
        """(language, end) of the word or hanzi that begin at `index`; None where none does."""
        if is_hanzi(text[index]):
            end = index + 1
            while end < len(text) and is_hanzi(text[end]):
                end += 1
            return "zh", end
        for word in self._words:
            if match := word.match(text, index):
                owners = [self._owner[char] for char in match.group() if char in self._owner]
                return (owners or [latin])[0], match.end()
        return None


def _class(letters: str) -> str:
    return re.escape(letters + letters.upper())


def _run(letters: str) -> re.Pattern[str]:
    """Letters, with apostrophes and hyphens between them."""
    return re.compile(rf"[{letters}]+(?:['\-][{letters}]+)*")


SCRIPTS = Scripts(LANGUAGES)
