"""Settings of the text frontend."""

from __future__ import annotations

import re
from dataclasses import dataclass

from GPT_SoVITS.text.errors import TextError

ENGLISH_DICTIONARIES = ("cmudict", "gpttalker")
UNKNOWN_TAGS = ("error", "speak")
# A tag is one word in angle or square brackets.
TAG = re.compile(r"<[A-Za-z][\w-]{0,39}>|\[[A-Za-z][\w-]{0,39}\]")


@dataclass(frozen=True)
class TextConfig:
    """How text becomes phonemes."""

    symbols: str = "v2"
    """Symbol table: v1 (322; GPT-Talker's too) or v2 (732)."""
    tags: tuple[str, ...] = ()
    """Special tags such as "<laugh>" or "[breath]"; each becomes a symbol after the table."""
    english_dictionary: str = "cmudict"
    """cmudict (for v1/v2 weights) or gpttalker (CMUdict 0.6, for GPT-Talker's weights)."""
    lexicon: str | None = None
    """A JSON file of own pronunciations: {"Xiaomi": "SH AW1 M IY0", "重庆": "chong2 qing4"}."""
    unknown_tags: str = "error"
    """A tag that is not declared is an error, or its word is spoken (speak)."""
    polyphone_model: str | None = None
    """A folder with g2pW's ONNX model: reads single polyphonic hanzi; None: rules do."""
    english_tagger: str | None = None
    """nltk's averaged_perceptron_tagger_eng folder: decides homographs; None: neighbours do."""
    max_characters: int = 5000
    """The longest text taken in one call."""

    def __post_init__(self) -> None:
        if self.symbols not in ("v1", "v2"):
            raise TextError(f"symbols is {self.symbols!r}; it must be v1 or v2")
        if self.english_dictionary not in ENGLISH_DICTIONARIES:
            known = " or ".join(ENGLISH_DICTIONARIES)
            raise TextError(
                f"english_dictionary is {self.english_dictionary!r}; it must be {known}"
            )
        object.__setattr__(self, "tags", tuple(self.tags))
        for tag in self.tags:
            if not TAG.fullmatch(tag):
                raise TextError(f"tag {tag!r} must be a word in <> or [], such as <laugh>")
        if len({tag.lower() for tag in self.tags}) != len(self.tags):
            raise TextError(f"tags differ only in case or repeat: {', '.join(self.tags)}")
