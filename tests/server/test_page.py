"""The page at `/` in a real browser: type a dialogue, hear the reply."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.server.conftest import Start

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--mute-audio"]
TOKEN = "a-token-of-some-length"
BEYOND = """() => [...document.querySelectorAll("body *")].filter((one) =>
  one.getBoundingClientRect().right > document.body.getBoundingClientRect().right - 15
).map((one) => one.outerHTML.slice(0, 80))"""


@pytest.fixture
def page() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        yield page
        browser.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("GPT_SoVITS.server.dialogue_work.LONGEST_SECONDS", 1.2)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_dialogue_is_typed_and_its_reply_heard(start: Start, page: Any):
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: line.type == "error" and faults.append(line.text))
    with start() as live:
        page.goto(live.url)
        page.wait_for_selector("#voice option", state="attached")
        assert page.locator("#voice option").all_text_contents() == ["anna"]
        page.fill("#heard", "Where is my parcel & box?")
        page.click("#add")
        page.wait_for_selector("#turns li")
        assert page.locator("#turns li").inner_text() == "user: Where is my parcel & box?"
        page.fill("#text", "Let me look that up.")
        page.click("#speak")
        expect(page.locator("#turns li")).to_have_count(2)
        page.wait_for_function("() => document.getElementById('audio').duration > 0.4")
        for width in (1280, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(BEYOND) == [], "nothing reaches into the margin"
        page.click("#restart")
        expect(page.locator("#turns li")).to_have_count(0)
        page.fill("#text", "…")
        page.click("#speak")
        expect(page.locator("#status")).to_contain_text("spoken")
    assert [fault for fault in faults if "422" not in fault] == []


@pytest.mark.slow
def test_the_page_asks_with_the_token(start: Start, page: Any):
    with start(token=TOKEN) as live:
        page.goto(live.url)
        expect(page.locator("#status")).to_contain_text("Bearer")
        page.fill("#token", TOKEN)
        page.locator("#token").blur()
        page.wait_for_selector("#voice option", state="attached")
