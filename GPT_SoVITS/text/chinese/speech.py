"""The Chinese frontend: cleaned text -> a segment with its phonemes and word2ph."""

from __future__ import annotations

from GPT_SoVITS.text.chinese.normalize import normalize
from GPT_SoVITS.text.chinese.pronounce import pronounce
from GPT_SoVITS.text.sequence import Segment


class Chinese:
    """Mandarin. `erhua`: 儿 takes the tone before it (v2 weights); v1 weights know er2."""

    def __init__(self, *, erhua: bool = True) -> None:
        self.erhua = erhua

    def speak(self, text: str) -> Segment:
        """Two phonemes a hanzi, one a pause; word2ph counts them."""
        spoken = pronounce(normalize(text), erhua=self.erhua)
        return Segment(
            language="zh",
            text=text,
            normalized="".join(part.char for part in spoken),
            phonemes=tuple(sound for part in spoken for sound in part.phonemes),
            word2ph=tuple(len(part.phonemes) for part in spoken),
        )
