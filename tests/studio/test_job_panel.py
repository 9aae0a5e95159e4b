"""The part of a page that shows its jobs, without a browser."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from GPT_SoVITS.studio.jobs import Job, Jobs
from GPT_SoVITS.studio.roots import Roots
from GPT_SoVITS.studio.words import words
from GPT_SoVITS.studio.workshop import Workshop

gr: Any = pytest.importorskip("gradio")


def test_clock_and_list_answer_one_after_the_other_so_no_late_answer_covers_the_next_job(
    tmp_path: Path,
):
    from GPT_SoVITS.studio.job_panel import JobPanel

    with gr.Blocks() as page:
        panel = JobPanel(shop(tmp_path), words("en"), "train")
        panel.wire()
    events = [
        (event, dependency["trigger_mode"], dependency["id"])
        for dependency in page.get_config_file()["dependencies"]
        for target, event in dependency["targets"]
        if target in (panel.clock._id, panel.chosen._id)
    ]
    assert {event for event, *_ in events} == {"tick", "change"}
    assert {mode for _, mode, _ in events} == {"always_last"}
    assert len({handler for *_, handler in events}) == 1


def test_a_job_is_shown_though_a_part_of_its_page_fails(tmp_path: Path):
    from GPT_SoVITS.studio.job_panel import JobPanel

    def broken(job: Job) -> list[Any]:
        raise OSError("report.json: no space left")

    workshop = shop(tmp_path)
    job = workshop.jobs.start("train", "a title", [sys.executable, "-c", "print('hello')"])
    while job.lives:
        time.sleep(0.05)
    with gr.Blocks():
        panel = JobPanel(workshop, words("en"), "train")
        panel.wire(outputs=[gr.HTML()], details=broken)
    status, *rest = panel._changed(job.id, "")
    assert "data-state='done'" in status and "report.json: no space left" in status
    assert len(rest) == len(panel.outputs) and "hello" in rest[2]


def shop(folder: Path) -> Workshop:
    return Workshop(Roots([folder]), Jobs(folder / "jobs"), folder / "cache", folder)
