"""The Chinese frontend: cleaned text -> a segment with its phonemes and word2ph."""

from __future__ import annotations

from GPT_SoVITS.text.chinese.normalize import normalize
from GPT_SoVITS.text.chinese.polyphone_model import load
from GPT_SoVITS.text.chinese.pronounce import pronounce
from GPT_SoVITS.text.sequence import Segment


class Chinese:
    """Mandarin. `erhua`: 儿 takes the tone before it (v2 weights); v1 weights know er2.

    `polyphone_model`: a folder with a context model for single polyphonic characters.
    """

    def __init__(self, *, erhua: bool = True, polyphone_model: str | None = None) -> None:
        self.erhua = erhua
        self.model = None if polyphone_model is None else load(polyphone_model)

    def speak(self, text: str) -> Segment:
        """Two phonemes a hanzi, one a pause; word2ph counts them."""
        spoken = pronounce(normalize(text), erhua=self.erhua, model=self.model)
        return Segment(
            language="zh",
            text=text,
            normalized="".join(part.char for part in spoken),
            phonemes=tuple(sound for part in spoken for sound in part.phonemes),
            word2ph=tuple(len(part.phonemes) for part in spoken),
        )
