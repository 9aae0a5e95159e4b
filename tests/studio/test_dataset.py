"""In a real browser: prepare a corpus with broken files, hear, repair, run again what changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import choose, ended, known_jobs

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BROKEN, SILENT = "0/1_1_d0.wav", "1/0_0_d1.wav"


@pytest.fixture(scope="module")
def broken(workspace: Path) -> Path:
    """The demo corpus with one recording that is none and one transcript missing."""
    raw = Path(shutil.copytree(workspace / "data" / "demo_raw", workspace / "data" / "broken_raw"))
    for name in ("metadata.json",):
        for path in raw.rglob(name):
            path.unlink()
    (raw / BROKEN).write_bytes(b"this is no sound")
    lost = sorted((raw / "1").glob("0_*_d1.lab"))[0]
    lost.unlink()
    return raw


def job_log(workspace: Path) -> str:
    """What the newest preparation says."""
    jobs = sorted((workspace / "runs" / "studio" / "jobs").glob("*/job.json"))
    mine = [j.parent for j in jobs if json.loads(j.read_text())["kind"] == "prepare"]
    return (mine[-1] / "log.txt").read_text()


def pick(page: Any, code: str) -> None:
    """Choose the line of the ledger with this code; its recording is loaded."""
    page.locator("#data-ledger [role=gridcell]", has_text=code).first.click()
    page.wait_for_function("document.querySelector('#data-turn input, #data-turn textarea').value")


def test_a_corpus_with_broken_files_is_prepared_and_repaired(
    visit: Callable[..., Any],
    workspace: Path,
    broken: Path,
    screenshots: Callable[[Any, str], None],
):
    page = visit("dataset")
    screenshots(page, "dataset_empty")
    choose(page, "#data-raw", "data/broken_raw")
    shown = "document.querySelector('#data-output textarea, #data-output input').value"
    page.wait_for_function(f"{shown} === 'data/broken'")
    choose(page, "#data-recipe", "demo_tiny")
    page.click("#data-go")
    ended(page, "prepare", "noted")
    page.wait_for_selector("#data-ledger [role=gridcell]:has-text('unreadable_audio')")
    counts = [int(n) for n in page.locator("#data-summary .number b").all_inner_texts()]
    assert counts[0] == sum(counts[1:]) and counts[2] >= 2

    pick(page, "missing_transcript")
    page.wait_for_selector(
        "#data-sound audio, #data-sound [data-testid^=waveform]", state="attached"
    )
    page.fill("#data-text textarea", "Good evening.")
    page.click("#data-correct")
    page.wait_for_selector("#data-said:has-text('Corrected')")
    assert (broken / "1").joinpath(transcript(broken)).read_text() == "Good evening.\n"

    pick(page, "unreadable_audio")
    page.click("#data-more button")
    page.set_input_files("#data-replace input[type=file]", broken / "0" / "3_1_d0.wav")
    page.wait_for_selector("#data-said:has-text('Replaced')")
    screenshots(page, "dataset_repair")
    before_job = known_jobs(workspace)
    page.click("#data-rerun")
    ended(page, "prepare", "done", after=before_job)
    page.wait_for_function(
        "!document.querySelector('#data-ledger').innerText.includes('unreadable')"
    )
    counts = [int(n) for n in page.locator("#data-summary .number b").all_inner_texts()]
    assert counts[2] == 0 and counts[0] == counts[1]
    screenshots(page, "dataset")
    kept = workspace / "data" / "broken" / "mended"
    assert sorted(p.read_bytes() for p in kept.glob("*.wav")) == [b"this is no sound"]


def transcript(broken: Path) -> str:
    return next(p.name for p in (broken / "1").glob("0_*_d1.txt"))


def test_one_corrected_turn_is_all_that_is_made_again_and_undo_brings_it_back(
    visit: Callable[..., Any], workspace: Path, broken: Path
):
    page = visit("dataset")
    page.wait_for_function("document.querySelector('#prepare-jobs input').value")
    before = (broken / "0" / "0_0_d0.lab").read_bytes()
    page.fill("#data-turn input, #data-turn textarea", "0/0_0_d0.wav")
    page.press("#data-turn input, #data-turn textarea", "Enter")
    page.wait_for_function("document.querySelector('#data-text textarea').value.length > 3")
    old = page.input_value("#data-text textarea")
    page.fill("#data-text textarea", "Something else was said.")
    page.click("#data-correct")
    page.wait_for_selector("#data-history:has-text('Something else')")
    before_job = known_jobs(workspace)
    page.click("#data-rerun")
    ended(page, "prepare", "done", after=before_job)
    lines = re.findall(r"^(step\w+[\w ]*): (\d+ of \d+|nothing to do)", job_log(workspace), re.M)
    made = dict(lines)
    assert made["step2_text"].startswith("1 of "), made
    assert made["step3_speech features"] == "nothing to do", made
    turns = (workspace / "data/broken/1_dialogues/turns.jsonl").read_text()
    assert "Something else was said." in turns
    assert (broken / "0" / "0_0_d0.lab").read_bytes() == before
    page.click("#data-undo")
    page.wait_for_selector("#data-history s:has-text('Something else')")
    assert page.input_value("#data-text textarea") == old


def test_a_folder_outside_the_roots_is_refused_in_a_sentence(visit: Callable[..., Any]):
    page = visit("dataset")
    choose(page, "#data-raw", "/etc")
    page.fill("#data-output textarea, #data-output input", "data/etc")
    page.click("#data-go")
    page.wait_for_selector("text=is not in the folders the studio may use")
