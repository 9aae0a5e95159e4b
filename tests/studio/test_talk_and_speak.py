"""In a real browser: hold a conversation, compare, speak lines, be told what is missing."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import Studio

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MESSAGES = "#talk-bubbles .message"


def recording(workspace: Path) -> Path:
    return sorted((workspace / "data" / "demo_raw").rglob("*.wav"))[0]


def turns(page: Any, count: int) -> None:
    """Wait until the conversation shows so many turns, by their words."""
    page.wait_for_function(
        "n => document.querySelectorAll('#talk-bubbles .bubble-wrap [data-testid=user] .prose, "
        "#talk-bubbles .bubble-wrap [data-testid=bot] .prose').length >= n",
        arg=count,
    )


def test_a_conversation_of_three_turns_and_what_if(
    visit: Callable[..., Any],
    workspace: Path,
    studio: Studio,
    screenshots: Callable[[Any, str], None],
):
    page = visit("talk")
    screenshots(page, "talk_empty")
    live: list[Any] = []
    page.on("response", lambda r: live.append(r) if "/live/" in r.url else None)
    page.fill("#talk-user textarea", "Where is my parcel?")
    page.click("#talk-user-sound button[aria-label='Upload file']")
    page.set_input_files("#talk-user-sound input[type=file]", recording(workspace))
    page.wait_for_selector(
        "#talk-user-sound [data-testid=waveform-x], #talk-user-sound audio, "
        "#talk-user-sound .waveform-container",
        state="attached",
    )
    page.fill("#talk-agent textarea", "Let me look that up.")
    page.click("#talk-send")
    turns(page, 2)
    page.fill("#talk-user textarea", "Thank you.")
    page.fill("#talk-agent textarea", "It will be there tomorrow.")
    page.press("#talk-agent textarea", "Enter")
    turns(page, 4)
    # A browser may ask again for what it has; a stream is handed out once, so that is refused.
    for _ in range(1000):
        heard = {response.url for response in live if response.status == 200}
        if len(heard) == 2:
            break
        page.wait_for_timeout(100)
    assert len(heard) == 2, [(response.status, response.url) for response in live]
    shown = page.inner_text("#talk-bubbles")
    for words in ("Where is my parcel?", "Let me look that up.", "It will be there tomorrow."):
        assert words in shown
    assert page.locator("#talk-bubbles img").count() >= 3  # two replies and the recorded turn
    page.check("#talk-whatif input[name=voice]")
    page.click("#talk-compare")
    page.wait_for_function("document.querySelectorAll('#talk-compared img').length === 3")
    screenshots(page, "talk")
    page.click("#talk-undo")
    page.wait_for_function(
        "!document.querySelector('#talk-bubbles').innerText.includes('tomorrow')"
    )
    assert "Let me look that up." in page.inner_text("#talk-bubbles")


def test_two_people_do_not_share_a_conversation(visit: Callable[..., Any]):
    first, second = visit("talk"), visit("talk")
    first.fill("#talk-user textarea", "This is a secret.")
    first.click("#talk-send")
    turns(first, 1)
    second.fill("#talk-user textarea", "Good morning.")
    second.click("#talk-send")
    turns(second, 1)
    assert "secret" not in second.inner_text("#talk-bubbles")
    assert "secret" in first.inner_text("#talk-bubbles")


def test_what_is_missing_is_said_in_a_sentence(visit: Callable[..., Any]):
    page = visit("talk")
    page.click("#talk-send")
    page.wait_for_selector("text=Write what the user says, or what the agent answers")
    assert "Traceback" not in page.inner_text("body")


def test_lines_are_spoken_and_can_be_taken_home(
    visit: Callable[..., Any], tmp_path: Path, screenshots: Callable[[Any, str], None]
):
    page = visit("speak")
    page.click("#speak-go")
    page.wait_for_selector("text=each line becomes a recording")
    page.fill("#speak-text textarea", "Good morning.\nSee you at nine.")
    page.click("#speak-go")
    page.wait_for_function("document.querySelectorAll('.speak-result img').length === 2")
    page.wait_for_selector("#speak-download:not([disabled])")
    with page.expect_download() as download:
        page.click("#speak-download")
    download.value.save_as(tmp_path / "speech.zip")
    with zipfile.ZipFile(tmp_path / "speech.zip") as archive:
        assert sorted(archive.namelist()) == ["000.wav", "001.wav", "texts.tsv"]
        assert "See you at nine." in archive.read("texts.tsv").decode("utf-8")
    assert page.locator(".speak-between").count() == 0
    page.check("#speak-inside input")
    page.fill("#speak-text textarea", "Good morning.")
    page.click("#speak-go")
    page.wait_for_selector(".speak-between:has-text('tokens')")
    assert "G UH1 D" in page.inner_text(".speak-between")
    screenshots(page, "speak")
