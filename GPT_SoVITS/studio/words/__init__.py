"""The words of the pages: one JSON file per language, with the same keys in each."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from importlib.resources import files

LANGUAGES = {"en": "English", "zh": "中文"}
Words = Callable[..., str]


@functools.cache
def table(language: str) -> dict[str, str]:
    """key -> words, of one language. Raises `ValueError`."""
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}; it must be one of {', '.join(LANGUAGES)}")
    text = files(__package__).joinpath(f"{language}.json").read_text(encoding="utf-8")
    fields: dict[str, str] = json.loads(text)
    return fields


def words(language: str) -> Words:
    """`t = words("zh")`; `t("talk.send")`, `t("jobs.step", step=3)`."""
    known = table(language)

    def say(key: str, **values: object) -> str:
        return known[key].format(**values) if values else known[key]

    return say


def has(key: str) -> bool:
    """Whether there are words for a key (options that are new may have none yet)."""
    return key in table("en")
