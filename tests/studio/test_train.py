"""In a real browser: train 20 steps, close the page, kill the studio, stop, resume, listen."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import Studio, choose, ended, known_jobs
from tests.training.tiny import S1_MODEL

pytestmark = [pytest.mark.browser, pytest.mark.slow]
STEPS = 20
# Wide enough that 20 steps last some seconds and can be stopped between.
SETTINGS = [line.removeprefix("--") for line in S1_MODEL]
SETTINGS += ["model.hidden_dim=192", "model.n_layer=6", "trainer.log_every=1"]
SETTINGS += ["trainer.max_valid_batches=1"]


def fill(page: Any, run: str) -> None:
    """The form of a short training of stage 1."""
    choose(page, "#train-recipe", "demo")
    choose(page, "#train-data", "data/demo")
    page.fill("#train-run textarea, #train-run input", run)
    page.fill("#train-steps input", str(STEPS))
    page.fill("#train-save input", "5")
    page.click("text=Start from, LoRA voices, tags, all other settings")
    page.fill("#train-settings textarea", "\n".join(SETTINGS))


def steps(run: Path) -> list[int]:
    """Steps that metrics.jsonl tells of, whole lines only."""
    path = run / "s1" / "metrics.jsonl"
    text = path.read_text() if path.is_file() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()
    return [json.loads(line)["step"] for line in lines]


def drawn(page: Any) -> None:
    """Wait until the curves are seen."""
    curves = "document.querySelector('#train-curves img')"
    page.wait_for_function(f"{curves} && {curves}.complete && {curves}.naturalWidth > 100")


def held(workspace: Path, number: int) -> None:
    """Hold the newest job's processes, or let them go on."""
    place = workspace / "runs/studio/jobs" / sorted(known_jobs(workspace))[-1]
    os.killpg(json.loads((place / "running.json").read_text())["pid"], number)


def reached(page: Any, step: int) -> None:
    """Wait until the shown progress is so far."""
    shown = "document.querySelector('#train-status').innerText"
    page.wait_for_function(f"n => Number(/(\\d+) of/.exec({shown})?.[1]) >= n", arg=step)


def test_a_training_is_stopped_and_goes_on_though_page_and_studio_are_gone(
    visit: Callable[..., Any],
    studio: Studio,
    workspace: Path,
    screenshots: Callable[[Any, str], None],
):
    run = workspace / "runs" / "mine"
    other = Studio(workspace)  # the one that will be killed
    page = visit("train", at=other)
    screenshots(page, "train_empty")
    fill(page, "runs/mine")
    page.click("#train-start")
    reached(page, 1)
    held(workspace, signal.SIGSTOP)  # or it would be done before slow pages are open
    page.context.close()  # the browser is closed …
    page = visit("train", at=other)  # … and opened again: the job is there
    page.wait_for_selector("#train-status [data-state=running]")
    page.context.close()
    other.kill()

    page = visit("train")  # another studio on the same folders
    page.wait_for_selector("#train-stop:not([disabled])")
    held(workspace, signal.SIGCONT)
    page.click("#train-stop")
    ended(page, "train", "stopped")
    stopped_at = steps(run)[-1]
    assert 1 <= stopped_at < STEPS
    drawn(page)
    screenshots(page, "train_stopped")
    page.click("#train-resume:not([disabled])")
    page.wait_for_selector("#train-status [data-state=running], #train-status [data-state=done]")
    ended(page, "train", "done")
    found = steps(run)
    assert found[-1] == STEPS and sorted(set(found)) == list(range(1, STEPS + 1))
    assert (run / "talker" / "s1.safetensors").is_file()
    drawn(page)
    page.click("#train-refresh")
    page.wait_for_selector("#train-runs [role=gridcell]:has-text('runs/mine/s1')")
    page.wait_for_selector("#train-runs [role=gridcell]:has-text('runs/tiny/s1')")
    screenshots(page, "train")


def test_an_estimate_comes_before_the_start(visit: Callable[..., Any], workspace: Path):
    page = visit("train")
    fill(page, "runs/estimated")
    before = known_jobs(workspace)
    page.click("#train-estimate")
    ended(page, "train", "done", after=before)
    page.click("text=What it says >> visible=true")
    page.wait_for_selector("#train-log pre")
    log = page.inner_text("#train-log").lower()
    assert "memory" in log and ("mb" in log or "gb" in log), log
    assert not (workspace / "runs" / "estimated" / "s1" / "metrics.jsonl").exists()


def test_an_unknown_setting_is_refused_with_its_name(visit: Callable[..., Any], workspace: Path):
    page = visit("train")
    fill(page, "runs/refused")
    page.fill("#train-settings textarea", "optimizer.lrr: 0.1")
    before = known_jobs(workspace)
    page.click("#train-start")
    ended(page, "train", "failed", after=before)
    assert "lrr" in page.inner_text("#train-status")


def test_the_run_s_talker_speaks_a_sentence(visit: Callable[..., Any], workspace: Path):
    """Of a run with both stages; the page says which is missing where one is."""
    page = visit("train")
    page.wait_for_function("document.querySelector('#train-jobs input').value")
    page.click("#train-listen")
    page.wait_for_selector("text=has not exported")
