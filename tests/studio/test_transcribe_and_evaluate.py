"""In a real browser: recordings to a manifest, a correction; two models compared, report taken."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import choose, ended

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_recordings_become_a_manifest_that_is_corrected_by_hand(
    visit: Callable[..., Any], workspace: Path, screenshots: Callable[[Any, str], None]
):
    pytest.importorskip("pocketsphinx")
    raw = workspace / "data" / "spoken_raw"
    raw.mkdir()
    english = sorted((workspace / "data" / "demo_raw" / "0").glob("*.wav"))[:2]
    for source in english:
        shutil.copyfile(source, raw / source.name)
    (raw / "broken.wav").write_bytes(b"no sound")
    page = visit("transcribe")
    screenshots(page, "transcribe_empty")
    choose(page, "#transcribe-place", "data/spoken_raw")
    shown = "document.querySelector('#transcribe-output textarea, #transcribe-output input').value"
    page.wait_for_function(f"{shown} === 'data/spoken_raw/manifest.jsonl'")
    page.click("#transcribe-go")
    ended(page, "transcribe", "noted")
    page.wait_for_selector("#transcribe-without [role=gridcell]:has-text('broken.wav')")
    cell = page.locator("#transcribe-rows [role=gridcell]", has_text=".wav").first
    name = cell.inner_text().strip()
    cell.click()
    page.wait_for_function(
        "n => document.querySelector('#transcribe-audio textarea, #transcribe-audio input').value"
        " === n",
        arg=name,
    )
    sound = "#transcribe-sound audio, #transcribe-sound [data-testid^=waveform]"
    page.wait_for_selector(sound, state="attached")
    page.fill("#transcribe-text textarea", "What was really said.")
    page.click("#transcribe-save")
    page.wait_for_selector("#transcribe-rows [role=gridcell]:has-text('What was really said.')")
    screenshots(page, "transcribe")
    with page.expect_download() as download:
        page.click("#transcribe-download")
    rows = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert {row["audio"]: row["text"] for row in rows}[name] == "What was really said."


def test_two_models_are_compared_heard_side_by_side_and_taken_home(
    visit: Callable[..., Any],
    workspace: Path,
    tmp_path: Path,
    screenshots: Callable[[Any, str], None],
):
    pytest.importorskip("pocketsphinx")
    runs = workspace / "runs"
    shutil.copytree(runs / "tiny" / "talker", runs / "second" / "talker")
    page = visit("evaluate")
    screenshots(page, "evaluate_empty")
    page.click("#evaluate-models [aria-label='Clear'], #evaluate-models .remove-all", force=True)
    for name in ("runs/tiny/talker", "runs/second/talker"):
        choose(page, "#evaluate-models", name)
    choose(page, "#evaluate-data", "data/demo")
    choose(page, "#evaluate-split", "trained on")  # the few held out ones are all Chinese
    page.fill("#evaluate-most input", "3")
    page.click("#evaluate-go")
    ended(page, "evaluate", "done")
    page.wait_for_selector("#evaluate-tables td:has-text('second')")
    for words in ("Errors of the recognisers", "Paired comparisons", "recorded", "tiny"):
        assert words in page.inner_text("#evaluate-tables")
    assert page.locator("#evaluate-tables img").count() >= 1
    page.wait_for_function(
        "document.querySelectorAll('#evaluate-sounds .waveform-container').length >= 3"
    )
    screenshots(page, "evaluate")
    with page.expect_download() as download:
        page.click("#evaluate-export")
    download.value.save_as(tmp_path / "evaluation.zip")
    with zipfile.ZipFile(tmp_path / "evaluation.zip") as archive:
        names = archive.namelist()
        summary = json.loads(archive.read("report.json"))
    assert {"report.html", "report.md", "items.csv"} <= set(names)
    assert len([name for name in names if name.endswith(".wav")]) == 3 * 3
    assert set(summary["systems"]) == {"recorded", "tiny", "second"}
