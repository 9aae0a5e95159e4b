"""Phones of the small recogniser: phonemes without stress, tone and pauses."""

from __future__ import annotations

import re
from collections.abc import Iterable

from GPT_SoVITS.text.symbols import PUNCTUATION

NOT_SPOKEN = frozenset(PUNCTUATION) | {"_", "UNK", "SP", "SP2", "SP3", "AP"}


def plain_phones(names: Iterable[str]) -> tuple[str, ...]:
    """`AH0 T . ang4` -> `AH T ang`"""
    spoken = (re.sub(r"\d+$", "", name) for name in names if name not in NOT_SPOKEN)
    return tuple(name for name in spoken if name)
