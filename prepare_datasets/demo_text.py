"""What a made corpus talks about: topics as (user, agent) exchanges with slots to fill.

The texts are data (`texts/demo.json`, `texts/everyday.json`): per language `slots`, the words that
may fill `{name}`, and `topics`, lists of [user line, agent line]. No line hints at how it is said:
the style of a turn must come from the speech before it. Lines are short, one to three seconds.
"""

from __future__ import annotations

import json
import random
import string
from functools import cache
from importlib.resources import files
from typing import Any

BANKS = ("demo", "everyday")
"""demo: small, a corpus in seconds; everyday: three times the words, for a model that speaks."""


@cache
def read_bank(bank: str) -> dict[str, Any]:
    """The texts of one bank: {language: {slots: {name: [words]}, topics: [[[user, agent]]]}}.

    Raises `ValueError`.
    """
    if bank not in BANKS:
        raise ValueError(f"text bank {bank!r} is not one of {', '.join(BANKS)}")
    content = files("prepare_datasets").joinpath("texts", f"{bank}.json").read_text("utf-8")
    texts: dict[str, Any] = json.loads(content)
    return texts


def write_lines(
    language: str, exchanges: int, rng: random.Random, *, bank: str = "demo"
) -> list[str]:
    """Texts of one dialogue, user and agent in turn: 2 × `exchanges` lines, no line twice."""
    texts = read_bank(bank)[language]
    pool = [pair for topic in rng.sample(texts["topics"], 3) for pair in topic]
    start = rng.randrange(len(pool))
    pairs = [pool[(start + step) % len(pool)] for step in range(exchanges)]
    return [_fill(line, texts["slots"], rng) for pair in pairs for line in pair]


def _fill(template: str, slots: dict[str, list[str]], rng: random.Random) -> str:
    """Put a word into each slot, never the same word twice in one line."""
    pieces, used = [], set[str]()
    for literal, slot, _, _ in string.Formatter().parse(template):
        pieces.append(literal)
        if slot:
            word = rng.choice([word for word in slots[slot] if word not in used])
            used.add(word)
            pieces.append(word)
    text = "".join(pieces)
    return text[0].upper() + text[1:]
