"""What the writer says about single words: tags, readings in braces, the user's lexicon.

<laugh> ＜LAUGH＞       a declared tag: a symbol of its own
重{chong2}庆           the hanzi before the braces, one syllable each (surface tones)
read{R EH1 D}         the word before the braces, in ARPAbet
{"Xiaomi": "SH AW1 M IY0", "重庆": "chong2 qing4"}     a lexicon file, for every occurrence
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from GPT_SoVITS.text.chinese.normalize import is_hanzi
from GPT_SoVITS.text.chinese.pinyin import split_syllable
from GPT_SoVITS.text.config import TAG, TextConfig
from GPT_SoVITS.text.errors import TextError

ARPABET = frozenset(
    "B CH D DH ER F G HH IH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
    + [
        vowel + stress
        for vowel in "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
        for stress in "012"
    ]
)
WIDE = str.maketrans("＜＞［］", "<>[]")
BRACES = re.compile(r"\{([^{}]{1,200})\}")
WORD_BEFORE = re.compile(r"[A-Za-z][A-Za-z'\-]*$")


@dataclass(frozen=True)
class Said:
    """Text whose pronunciation is given: language zh or en, phonemes per unit of the text."""

    language: str
    text: str
    phonemes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class TagMark:
    """A declared tag, in its declared spelling."""

    name: str


Piece = str | Said | TagMark


def one_width(text: str) -> str:
    """The text with the brackets of tags as ASCII, each character in its place: ＜laugh＞, too."""
    return text.translate(WIDE)


def reading(text: str) -> Said | None:
    """`chong2 qing4` or `R EH1 D` -> its phonemes (without text); None for anything else."""
    parts = text.split()
    if not parts:
        return None
    syllables = [split_syllable(part.lower().replace("ü", "v")) for part in parts]
    if all(syllables):
        return Said("zh", "", tuple(pair for pair in syllables if pair))
    sounds = tuple(part.upper() for part in parts)
    return Said("en", "", (sounds,)) if set(sounds) <= ARPABET else None


@lru_cache(maxsize=16)
def load_lexicon(path: str) -> Mapping[str, Said]:
    """The user's pronunciations; Latin words are keyed in lower case. Raises `TextError`."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TextError(f"lexicon {path}: {error}") from error
    if not isinstance(content, dict):
        raise TextError(f'lexicon {path} must be a JSON object such as {{"word": "W ER1 D"}}')
    entries: dict[str, Said] = {}
    for word, sounds in content.items():
        said = reading(sounds) if isinstance(sounds, str) else None
        if said is None:
            raise TextError(f"lexicon {path}: {word!r} has no pinyin or ARPAbet, but {sounds!r}")
        hanzi = all(is_hanzi(char) for char in word)
        if (said.language == "zh") != hanzi or (hanzi and len(said.phonemes) != len(word)):
            raise TextError(f"lexicon {path}: {sounds!r} does not fit {word!r}")
        entries[word.lower()] = Said(said.language, word, said.phonemes)
    return entries


def pieces(text: str, config: TextConfig) -> list[Piece]:
    """The text cut at tags, given readings and lexicon words."""
    result: list[Piece] = []
    for part in _tags(text, config):
        result += _braces(part) if isinstance(part, str) else [part]
    if config.lexicon:
        entries = load_lexicon(config.lexicon)
        parts, result = result, []
        for part in parts:
            result += _lexicon(part, entries) if isinstance(part, str) else [part]
    return [part for part in result if part != ""]


def _tags(text: str, config: TextConfig) -> list[Piece]:
    """Declared tags as marks; an undeclared one is an error or its word."""
    known = {tag.lower(): tag for tag in config.tags}
    result: list[Piece] = []
    last = 0
    for match in TAG.finditer(one_width(text)):
        name = known.get(match.group().lower())
        if name is None:
            if config.unknown_tags == "speak":
                continue
            declared = ", ".join(config.tags) or "none"
            raise TextError(f"unknown tag {match.group()}; declared tags: {declared}")
        result += [text[last : match.start()], TagMark(name)]
        last = match.end()
    return [*result, text[last:]]


def _braces(text: str) -> list[Piece]:
    """Readings in braces; braces around anything else are silent brackets."""
    result: list[Piece] = []
    last = 0
    for match in BRACES.finditer(text):
        said = reading(match.group(1))
        if said is None:
            continue
        before = text[last : match.start()]
        if said.language == "zh":
            count = len(said.phonemes)
            owner = before[-count:]
            fits = len(owner) == count and all(is_hanzi(char) for char in owner)
        else:
            word = WORD_BEFORE.search(before)
            owner = word.group() if word else ""
            fits = bool(owner)
        if not fits:
            continue
        result += [before[: -len(owner)], Said(said.language, owner, said.phonemes)]
        last = match.end()
    return [*result, text[last:]]


def _lexicon(text: str, entries: Mapping[str, Said]) -> list[Piece]:
    """Lexicon words of the text, the longest first; Latin ones as whole words."""
    if not entries:
        return [text]
    patterns = [
        re.escape(word) if is_hanzi(word[0]) else rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])"
        for word in sorted(entries, key=len, reverse=True)
    ]
    result: list[Piece] = []
    last = 0
    for match in re.finditer("|".join(patterns), text, flags=re.IGNORECASE):
        entry = entries.get(match.group().lower())
        if entry is not None:
            said = Said(entry.language, match.group(), entry.phonemes)
            result += [text[last : match.start()], said]
            last = match.end()
    return [*result, text[last:]]
