"""English and Chinese have the same words, and the pages use no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from GPT_SoVITS.studio.option_controls import NAMES
from GPT_SoVITS.studio.words import LANGUAGES, has, table

STUDIO = Path(__file__).parents[2] / "GPT_SoVITS" / "studio"
PLACE = re.compile(r"\{(\w+)\}")


def test_every_language_has_the_same_keys_and_places():
    english = table("en")
    for language in LANGUAGES:
        words = table(language)
        assert list(words) == list(english), language
        for key, text in words.items():
            assert text.strip(), f"{language}: {key} is empty"
            assert set(PLACE.findall(text)) == set(PLACE.findall(english[key])), key


def test_chinese_is_chinese():
    same = [k for k, v in table("zh").items() if v == table("en")[k] and re.search("[a-z]{4}", v)]
    assert set(same) <= {
        "title",
        "language.en",
        "data.title",
        "train.title.train",
        "evaluate.title",
        "option.top_k",
        "option.top_p",
    }, same


def test_every_key_a_page_names_is_there():
    for path in STUDIO.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            name = node.func.id if isinstance(node.func, ast.Name) else name
            key = node.args[0]
            if name == "t" and isinstance(key, ast.Constant):
                assert key.value in table("en"), f"{path.name}: {key.value}"


def test_every_generation_option_has_words():
    for name in NAMES:
        assert has(f"option.{name}") and has(f"option.{name}.info"), name
