"""In a real browser: import published weights, compare, merge an adapter, choose a reference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.studio.conftest import choose, ended, known_jobs, upload

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A tiny s1 and a tiny s2 in the published form."""
    from tests.training.test_fine_tuning_route import published

    return published(tmp_path_factory.mktemp("published"))


def test_published_weights_are_imported_and_listed(
    visit: Callable[..., Any],
    workspace: Path,
    published: list[str],
    screenshots: Callable[[Any, str], None],
):
    page = visit("voices")
    upload(page, "#voices-files", published, "published-s2")
    page.fill("#voices-target textarea, #voices-target input", "runs/imported")
    page.click("#voices-import")
    ended(page, "import", "done")
    page.wait_for_selector("#voices-list [role=gridcell]:has-text('runs/imported')")
    assert (workspace / "runs" / "imported" / "s2.safetensors").is_file()
    page.click("#voices-refresh")
    page.wait_for_function("document.querySelector('#voices-one input').value === 'runs/imported'")
    choose(page, "#voices-one", "runs/imported")
    choose(page, "#voices-other", "runs/tiny/talker")
    page.click("#voices-compare")
    page.wait_for_selector("#voices-differences tr.differs:has-text('s1.hidden_dim')")
    screenshots(page, "voices")


def test_a_hostile_file_is_refused_in_a_sentence_and_never_run(
    visit: Callable[..., Any], workspace: Path, tmp_path: Path
):
    from tests.checkpoints.test_legacy import Attack, save

    bad = tmp_path / "bad.pth"
    save(bad, {"weight": {}, "config": Attack(workspace / "PWNED")}, b"05")
    page = visit("voices")
    upload(page, "#voices-files", bad, "bad")
    page.fill("#voices-target textarea, #voices-target input", "runs/bad")
    before = known_jobs(workspace)
    page.click("#voices-import")
    ended(page, "import", "failed", after=before)
    assert "bad.pth" in page.inner_text("#import-status")
    assert not (workspace / "PWNED").exists() and not (workspace / "runs" / "bad").exists()


def test_an_adapter_is_merged_and_a_reference_chosen(visit: Callable[..., Any], workspace: Path):
    page = visit("voices")
    page.fill("#voices-merged textarea, #voices-merged input", "runs/merged")
    before = known_jobs(workspace)
    page.click("#voices-merge")
    ended(page, "import", "done", after=before)
    page.wait_for_selector("#voices-list [role=gridcell]:has-text('runs/merged')")
    choose(page, "#voices-one", "runs/merged")
    page.wait_for_function("document.querySelector('#voices-clip input').value")
    sound = "#voices-heard audio, #voices-heard [data-testid^=waveform]"
    page.wait_for_selector(sound, state="attached")
    page.click("#voices-choose")
    page.wait_for_selector("#voices-said:has-text('is now spoken like')")
    assert list((workspace / "runs" / "merged").rglob("*.wav")) or list(
        (workspace / "runs" / "merged").rglob("*.flac")
    )
