"""Text in, phonemes out: Chinese, English and both mixed, with tags.

    raw text -> tags, given readings  (markup)
             -> readable characters   (cleaning)   ... the rest is reported in `removed`
             -> stretches of language (segmentation, by the letters of languages.py)
             -> words and pauses      (chinese.normalize, english.normalize)
             -> phonemes              (chinese.pronounce, english.pronounce)
             -> ids                   (symbols)

Dictionaries load when a language is first used. A frontend holds no state that a call changes, so
threads may share one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from GPT_SoVITS.text import markup
from GPT_SoVITS.text.cleaning import LETTERS, clean
from GPT_SoVITS.text.config import TextConfig
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.languages import LANGUAGES, Language, Scripts
from GPT_SoVITS.text.segmentation import segments
from GPT_SoVITS.text.sequence import PhonemeSequence, Segment
from GPT_SoVITS.text.symbols import PUNCTUATION, SymbolTable

# Fewer phonemes than this make the acoustic model fail; English gets a pause in front.
SHORTEST = 4


@dataclass(frozen=True)
class _Part:
    segment: Segment
    removed: tuple[str, ...] = ()


class Frontend:
    """Phonemes of texts under one configuration."""

    def __init__(
        self, config: TextConfig | None = None, *, languages: Mapping[str, Language] = LANGUAGES
    ) -> None:
        self.config = config or TextConfig()
        self.symbols = SymbolTable(self.config.symbols, tags=self.config.tags)
        if self.config.lexicon:
            markup.load_lexicon(self.config.lexicon)
        self._known, self._scripts = languages, Scripts(languages)
        self._languages = {code: one.open(self.config) for code, one in languages.items()}

    def __call__(self, text: str, language: str = "auto") -> PhonemeSequence:
        """Phonemes of one text. `language` decides what a bare number is read in."""
        self._check(text, language)
        parts: list[_Part] = []
        for piece in markup.pieces(text, self.config):
            parts += self._parts(piece, language)
        spoken = [part.segment for part in parts if part.segment.phonemes]
        phonemes = tuple(sound for segment in spoken for sound in segment.phonemes)
        removed = tuple(dict.fromkeys(char for part in parts for char in part.removed))
        if not set(phonemes) - PUNCTUATION:
            left_out = f" (left out: {''.join(removed)[:20]!a})" if removed else ""
            raise TextError(f"nothing in {text[:40]!a} can be spoken{left_out}")
        spoken = self._guard(spoken, len(phonemes))
        phonemes = tuple(sound for segment in spoken for sound in segment.phonemes)
        kinds = [segment.language for segment in spoken if segment.language != "tag"]
        aligned = all(segment.word2ph is not None for segment in spoken)
        return PhonemeSequence(
            phonemes=phonemes,
            ids=self.symbols.ids(phonemes),
            word2ph=tuple(n for s in spoken for n in s.word2ph or ()) if aligned else None,
            normalized=_joined(spoken),
            language=kinds[0] if kinds and len(set(kinds)) == 1 else "mixed",
            segments=tuple(spoken),
            removed=removed,
            unknown=self.symbols.unknown(phonemes),
        )

    def _check(self, text: str, language: str) -> None:
        if language not in (*self._known, "auto", "mixed"):
            known = ", ".join(("auto", *self._known, "mixed"))
            raise TextError(f"language {language!r} is not supported; there are {known}")
        if not isinstance(text, str):
            raise TextError(f"text must be a string, not {type(text).__name__}")
        if not text.strip():
            raise TextError("the text is empty")
        if len(text) > self.config.max_characters:
            limit = self.config.max_characters
            raise TextError(f"the text has {len(text)} characters; {limit} fit, cut it first")

    def _parts(self, piece: markup.Piece, language: str) -> list[_Part]:
        if isinstance(piece, markup.TagMark):
            return [_Part(Segment("tag", piece.name, "", (piece.name,)))]
        if isinstance(piece, markup.Said):
            sounds = tuple(sound for unit in piece.phonemes for sound in unit)
            counts = tuple(map(len, piece.phonemes)) if piece.language == "zh" else None
            return [_Part(Segment(piece.language, piece.text, piece.text, sounds, counts))]
        cleaned = clean(piece, self._scripts.letters)
        default = language if language in self._known else "zh"
        latin = default if self._known[default].latin else "en"
        if default == "zh" and language != "zh" and _only_english(cleaned.text):
            default = "en"
        parts = [
            _Part(self._languages[kind].speak(text))
            for kind, text in segments(
                cleaned.text, default=default, latin=latin, scripts=self._scripts
            )
        ]
        return [_Part(Segment("zh", "", "", (), ()), cleaned.removed), *parts]

    def _guard(self, spoken: list[Segment], count: int) -> list[Segment]:
        """A very short English text gets the pause in front that the weights saw there."""
        english = all(segment.language == "en" for segment in spoken)
        if count >= SHORTEST or not english or self.config.english_dictionary != "cmudict":
            return spoken
        return [Segment("en", "", "", (",",)), *spoken]


def _only_english(text: str) -> bool:
    """Whether there are Latin letters; the segmentation finds the hanzi by itself."""
    return any(char in LETTERS for char in text)


def _joined(spoken: list[Segment]) -> str:
    """Normalised pieces; a space between English ones and what follows a mark in English."""
    result = ""
    for segment in spoken:
        words = segment.normalized
        both_latin = result[-1:].isascii() and words[:1].isascii() and words[:1].isalpha()
        result += (" " if result and both_latin else "") + words
    return result
