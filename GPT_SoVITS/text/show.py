"""The way from a text to its ids: `python -m GPT_SoVITS phonemes "我有3个iPhone." [--help]`.

One line per stretch and word, so that a person sees which step makes a word sound wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby

from GPT_SoVITS.text.chinese.polyphone_model import load
from GPT_SoVITS.text.chinese.pronounce import pronounce as pronounce_chinese
from GPT_SoVITS.text.config import ENGLISH_DICTIONARIES, UNKNOWN_TAGS, TextConfig
from GPT_SoVITS.text.english.pronounce import pronounce as pronounce_english
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.frontend import Frontend
from GPT_SoVITS.text.languages import LANGUAGES
from GPT_SoVITS.text.sequence import Segment
from GPT_SoVITS.text.symbols import VERSIONS


def explain(frontend: Frontend, text: str, *, language: str = "auto") -> Iterator[str]:
    """Lines from the raw text to the ids."""
    spoken = frontend(text, language)
    yield f"text        {text}"
    if spoken.removed:
        yield f"removed     {' '.join(map(ascii, spoken.removed))}"
    for segment in spoken.segments:
        yield f"{segment.language:11s} {segment.text!r} -> {segment.normalized!r}"
        yield from (f"  {line}" for line in _words(segment, frontend))
    yield f"normalized  {spoken.normalized}"
    yield f"phonemes    {' '.join(spoken.phonemes)}"
    if spoken.unknown:
        yield f"unknown     {' '.join(spoken.unknown)} -> UNK"
    yield f"ids         {' '.join(map(str, spoken.ids))}"


def _words(segment: Segment, frontend: Frontend) -> Iterator[str]:
    """Each word with its reading and where the reading comes from; one line if it was given."""
    if segment.language == "en":
        edition = frontend.config.english_dictionary
        words = pronounce_english(
            segment.normalized, edition=edition, tagger=frontend.config.english_tagger
        )
        if tuple(sound for word in words for sound in word.phonemes) == segment.phonemes:
            for word in words:
                yield f"{word.text:12s} {' '.join(word.phonemes)}  ({word.source})"
            return
    if segment.language == "zh":
        folder = frontend.config.polyphone_model
        model = None if folder is None else load(folder)
        erhua = frontend.config.symbols == "v2"
        chars = pronounce_chinese(segment.normalized, erhua=erhua, model=model)
        if tuple(sound for char in chars for sound in char.phonemes) == segment.phonemes:
            for word, group in groupby(chars, key=lambda char: char.word or char.char):
                parts = list(group)
                pinyin = " ".join(part.pinyin for part in parts)
                sounds = " ".join(sound for part in parts for sound in part.phonemes)
                yield f"{word:12s} {sounds}  ({pinyin or 'mark'})"
            return
    source = "given" if segment.language in ("en", "zh") else "whole"
    yield f"{segment.text:12s} {' '.join(segment.phonemes)}  ({source})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it; exit code 2 for a text that cannot be spoken."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS phonemes", description="From raw text to phoneme ids."
    )
    parser.add_argument("text", help="what to say")
    known = ("auto", *LANGUAGES, "mixed")
    parser.add_argument("--language", default="auto", choices=known, help="default auto")
    parser.add_argument("--symbols", default="v2", choices=VERSIONS, help="table, default v2")
    parser.add_argument("--dictionary", default="cmudict", choices=ENGLISH_DICTIONARIES)
    parser.add_argument("--lexicon", help="JSON file of own pronunciations")
    parser.add_argument("--tag", action="append", default=[], help='such as "<laugh>"; repeatable')
    parser.add_argument("--unknown-tags", default="error", choices=UNKNOWN_TAGS)
    args = parser.parse_args(arguments)
    try:
        config = TextConfig(
            symbols=args.symbols,
            tags=tuple(args.tag),
            english_dictionary=args.dictionary,
            lexicon=args.lexicon,
            unknown_tags=args.unknown_tags,
        )
        lines = list(explain(Frontend(config), args.text, language=args.language))
    except TextError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0
