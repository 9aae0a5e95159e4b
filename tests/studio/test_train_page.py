"""Page Train without a browser: a run's talker speaks a sentence, or says what it lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.jobs import Jobs
from GPT_SoVITS.studio.roots import Roots
from GPT_SoVITS.studio.words import words
from GPT_SoVITS.studio.workshop import TalkerShelf, Workshop
from tests.tiny_talker import write_tiny_talker


def test_a_run_s_talker_speaks_a_sentence_once_both_stages_are_exported(tmp_path: Path):
    pytest.importorskip("gradio")
    from GPT_SoVITS.studio.pages.train import Train

    shop = Workshop(
        Roots([tmp_path]), Jobs(tmp_path / "jobs"), tmp_path / "cache", tmp_path, TalkerShelf("cpu")
    )
    page, run = Train(shop, words("en")), tmp_path / "runs" / "mine"
    command = [sys.executable, "-c", "print('trained')"]
    job = shop.jobs.start("train", "mine", command, facts={"run": str(run)})
    with pytest.raises(StudioError, match="has not exported s1 \\+ s2"):
        page.listen(job.id, "Good morning.")
    write_tiny_talker(run)
    assert len(load_audio(page.listen(job.id, "Good morning."))) > 3200
