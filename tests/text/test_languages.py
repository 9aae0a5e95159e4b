"""A further language is one entry: its letters are kept, found, and spoken by its own class."""

from __future__ import annotations

import pytest

from GPT_SoVITS.dialogue import LANGUAGES as CODES
from GPT_SoVITS.text import Frontend, Segment, TextConfig, TextError
from GPT_SoVITS.text.languages import LANGUAGES, Language, Scripts, TextFrontend
from GPT_SoVITS.text.segmentation import segments

VOWELS = {"a": "AA1", "e": "EH1", "i": "IY1", "o": "OW1", "u": "UW1", "ĉ": "CH", "α": "AA1"}


class Toy:
    """Says the letters it knows and keeps pauses."""

    def __init__(self, code: str) -> None:
        self.code = code

    def speak(self, text: str) -> Segment:
        """A phoneme per vowel."""
        said = tuple(VOWELS.get(c, c) for c in text.lower() if c in VOWELS or c in ",.?!")
        return Segment(self.code, text, text, said)


def toy(code: str, letters: str, *, latin: bool) -> Language:
    def open_it(config: TextConfig) -> TextFrontend:
        return Toy(code)

    return Language(open_it, letters=letters, latin=latin)


SHIPPED = {code: LANGUAGES[code] for code in ("zh", "en")}
"""Without those that a reader of docs/extending.md has entered."""
KNOWN = SHIPPED | {
    "eo": toy("eo", "ĉĝĥĵŝŭ", latin=True),
    "el": toy("el", "αβγδ", latin=False),
}


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(languages=KNOWN)


def test_codes_of_turns_are_those_of_the_frontends():
    assert set(CODES) == {"auto", *LANGUAGES}


@pytest.mark.parametrize(
    "text, found",
    [
        ("Ĉu hello 你好", [("eo", "Ĉu "), ("en", "hello "), ("zh", "你好")]),
        ("αβ, 3 δ", [("el", "αβ, 3 δ")]),
        ("ĉu-vi ΑΒ'α", [("eo", "ĉu-vi "), ("el", "ΑΒ'α")]),
        ("plain words", [("en", "plain words")]),
    ],
)
def test_letters_tell_the_language(text: str, found: list[tuple[str, str]]):
    assert segments(text, scripts=Scripts(KNOWN)) == found


def test_latin_words_are_read_in_the_language_that_is_named(frontend: Frontend):
    assert frontend("vi iras", "eo").phonemes == ("IY1", "IY1", "AA1")
    assert frontend("vi iras").language == "en"


def test_its_letters_are_kept_composed_or_not(frontend: Frontend):
    spoken = frontend("c\u0302u?", "eo")
    assert spoken.phonemes == ("CH", "UW1", "?") and spoken.removed == ()
    assert frontend("α ж").removed == ("ж",)


def test_without_the_entry_its_letters_are_reported():
    plain = Frontend(languages=SHIPPED)
    assert plain("hello ж").removed == ("ж",)
    with pytest.raises(TextError, match="'eo' is not supported; there are auto, zh, en, mixed"):
        plain("saluton", "eo")
