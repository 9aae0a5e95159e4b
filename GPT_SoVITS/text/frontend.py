"""Text in, phonemes out: Chinese, English and both mixed."""

from __future__ import annotations

import re

from GPT_SoVITS.text.chinese import normalize as chinese_normalize
from GPT_SoVITS.text.chinese import pronounce as chinese
from GPT_SoVITS.text.config import LANGUAGES, TextConfig
from GPT_SoVITS.text.english import normalize as english_normalize
from GPT_SoVITS.text.english import pronounce as english
from GPT_SoVITS.text.errors import TextError
from GPT_SoVITS.text.sequence import PhonemeSequence, Segment
from GPT_SoVITS.text.symbols import PUNCTUATION, SymbolTable


class Frontend:
    """Phonemes of texts. Cheap to make; dictionaries load when a language is first used."""

    def __init__(self, config: TextConfig | None = None) -> None:
        self.config = config or TextConfig()
        self.symbols = SymbolTable(self.config.symbols, tags=self.config.tags)

    def __call__(self, text: str, language: str = "auto") -> PhonemeSequence:
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise TextError(f"language {language!r} is not supported; there are {known}")
        segments = []
        for kind, piece in self._split(text, language):
            segment = self._chinese(piece) if kind == "zh" else self._english(piece)
            if segment.phonemes:
                segments.append(segment)
        phonemes = tuple(phone for segment in segments for phone in segment.phonemes)
        if not set(phonemes) - PUNCTUATION:
            raise TextError(f"nothing in {text[:40]!r} can be spoken")
        kinds = {segment.language for segment in segments}
        only_chinese = kinds == {"zh"}
        return PhonemeSequence(
            phonemes=phonemes,
            ids=self.symbols.ids(phonemes),
            word2ph=tuple(n for s in segments for n in s.word2ph or ()) if only_chinese else None,
            normalized="".join(segment.normalized for segment in segments),
            language=kinds.pop() if len(kinds) == 1 else "mixed",
            segments=tuple(segments),
            unknown=self.symbols.unknown(phonemes),
        )

    def _split(self, text: str, language: str) -> list[tuple[str, str]]:
        if language in {"zh", "en"} and not (language == "zh" and re.search("[A-Za-z]", text)):
            return [(language, text)]
        if not any(chinese_normalize.is_hanzi(char) for char in text):
            return [("en" if re.search("[A-Za-z]", text) else "zh", text)]
        pieces = re.split(r"([A-Za-z][A-Za-z' \-,.!?]*)", text)
        return [("en" if i % 2 else "zh", piece) for i, piece in enumerate(pieces) if piece]

    def _chinese(self, text: str) -> Segment:
        normalized = chinese_normalize.normalize(text)
        spoken = chinese.pronounce(normalized, erhua=self.config.symbols == "v2")
        phonemes = tuple(phone for part in spoken for phone in part.phonemes)
        counts = tuple(len(part.phonemes) for part in spoken)
        return Segment("zh", text, normalized, phonemes, counts)

    def _english(self, text: str) -> Segment:
        normalized = english_normalize.normalize(text)
        phonemes = english.pronounce(normalized, edition=self.config.english_dictionary)
        return Segment("en", text, normalized, phonemes)
