"""In a real browser: all pages in Chinese, a line spoken by keyboard alone, the first page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.studio.conftest import FILLED, Studio

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = {
    "talk": "对话",
    "speak": "合成",
    "dataset": "数据",
    "train": "训练",
    "transcribe": "转写",
    "evaluate": "评测",
    "voices": "音色与模型",
}


def test_every_page_is_there_in_chinese(
    visit: Callable[..., Any], screenshots: Callable[[Any, str], None]
):
    page = visit("talk", language="zh")
    for tab, name in NAMES.items():
        page.click(f"#page-{tab}-button")
        page.wait_for_function("s => document.querySelector(s)?.value", arg=FILLED[tab])
        assert name in page.inner_text(f"#page-{tab}-button")
        assert page.evaluate("new URLSearchParams(location.search).get('tab')") == tab
        screenshots(page, f"{tab}_zh")


def at(page: Any, place: str, *, most: int = 200) -> None:
    """Press Tab until the focus is in a place."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement?.closest(s) !== null", place):
            return
    raise AssertionError(f"{place} cannot be reached with Tab")


def test_a_line_is_spoken_with_the_keyboard_alone(visit: Callable[..., Any]):
    page = visit("talk")
    at(page, "#page-speak-button")
    page.keyboard.press("Enter")
    page.wait_for_function("s => document.querySelector(s)?.value", arg=FILLED["speak"])
    at(page, "#speak-text textarea")
    page.keyboard.type("Good morning.")
    at(page, "#speak-go")
    page.keyboard.press("Enter")
    page.wait_for_selector(".speak-result img", state="attached")


def test_how_long_the_first_page_took(visit: Callable[..., Any], studio: Studio):
    """Measured and kept, not judged: machines differ."""
    visit("talk")
    folder = REPOSITORY / "runs" / "studio_screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    values = {"seconds_until_listening": round(studio.seconds, 2)}
    (folder / "startup.json").write_text(json.dumps(values), encoding="utf-8")
