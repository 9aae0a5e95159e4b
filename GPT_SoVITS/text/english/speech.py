"""The English frontend: cleaned text -> a segment with its phonemes."""

from __future__ import annotations

from GPT_SoVITS.text.english.normalize import normalize, normalize_as_gpttalker
from GPT_SoVITS.text.english.pronounce import pronounce
from GPT_SoVITS.text.english.tagger import load
from GPT_SoVITS.text.sequence import Segment


class English:
    """English with one of the dictionary editions; `gpttalker` also keeps every mark."""

    def __init__(self, edition: str = "cmudict", *, tagger: str | None = None) -> None:
        self.edition = edition
        self.tagger = tagger
        if tagger is not None:
            load(tagger)

    def normalized(self, text: str) -> str:
        """Words and pauses."""
        return normalize_as_gpttalker(text) if self.edition == "gpttalker" else normalize(text)

    def speak(self, text: str) -> Segment:
        """Phonemes and pauses; letters are not aligned, so there is no word2ph."""
        normalized = self.normalized(text)
        words = pronounce(normalized, edition=self.edition, tagger=self.tagger)
        return Segment("en", text, normalized, tuple(s for word in words for s in word.phonemes))
