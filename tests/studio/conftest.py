"""A workspace with a tiny corpus and a tiny talker, a studio on it, and a real browser.

Screenshots of every page lie in runs/studio_screenshots (STUDIO_SCREENSHOTS overrides the place).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.training.tiny import arguments

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FLAGS += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
WIDTHS = (1280, 390)
MADE = os.environ.get(
    "STUDIO_WORKSPACE"
)  # one made before: saves half a minute while writing tests
# What each page fills in when it has been opened.
FILLED = {
    "talk": "#talk-talker input",
    "speak": "#speak-talker input",
    "dataset": "#data-raw input",
    "train": "#train-data input",
    "transcribe": "#transcribe-place input",
    "evaluate": "#evaluate-data input",
    "voices": "#voices-one input",
}
PATIENCE = int(os.environ.get("STUDIO_PATIENCE", 600_000))  # ms; on a busy machine jobs take long


@pytest.fixture(scope="session")
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`data/demo_raw`, `data/demo`, `runs/tiny/talker` with an adapter: a small shop to work in."""
    from GPT_SoVITS.training import train_s1, train_s2

    folder = tmp_path_factory.mktemp("studio")
    if MADE:
        return Path(shutil.copytree(MADE, folder, dirs_exist_ok=True))
    prepared_demo = request.getfixturevalue("prepared_demo")
    shutil.copytree(prepared_demo.parent / "raw", folder / "data" / "demo_raw")
    shutil.copytree(prepared_demo, folder / "data" / "demo")
    run, data = folder / "runs" / "tiny", folder / "data" / "demo"
    train_s2.main(arguments("s2", data, run, 2))
    train_s1.main(arguments("s1", data, run, 2))
    lora = ["--run.init_from", str(run / "talker"), "--lora.rank=2", "--lora.name=calm"]
    lora += ['--lora.targets=["attention"]']
    train_s1.main([*arguments("s1", data, run, 2), *lora])
    return folder


class Studio:
    """`python -m GPT_SoVITS studio` as a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start and wait for the sentence with the address."""
        command = [sys.executable, "-m", "GPT_SoVITS", "studio", "--port", "0"]
        command += ["--roots", "data", "runs", "--configs", str(REPOSITORY / "configs")]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = ""
        for line in self.process.stderr:
            if found := re.search(r"http://\S+?:\d+", line):
                self.address, self.seconds = found[0], time.perf_counter() - started
                return
        raise AssertionError(f"the studio did not start: {line}")

    def kill(self) -> None:
        """As the machine would: no time for a last word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session")
def studio(workspace: Path) -> Iterator[Studio]:
    """A running studio."""
    running = Studio(workspace)
    yield running
    running.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, headless; `.ci/run` installs it where it may."""
    if CHROMIUM is None:
        names = ", ".join(NAMES)
        pytest.skip(f"none of {names} found: `apt-get install chromium`; pages stay untested")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, studio: Studio) -> Iterator[Callable[..., Any]]:
    """`visit("train")` opens a page as a new person would and watches what it asks for."""
    contexts, faults = [], []
    addresses = [studio.address]

    def outside(request: Any) -> None:
        if not request.url.startswith((*addresses, "data:", "blob:")):
            faults.append(f"asked for {request.url}")

    def lost(response: Any) -> None:
        if response.status >= 400 and "file=" in response.url:
            faults.append(f"{response.status} for {response.url}")

    def complained(message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    def go(tab: str, *, language: str = "en", width: int = 1280, at: Studio = studio) -> Any:
        addresses.append(at.address)
        context = chromium.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", outside)
        page.on("console", complained)
        page.on("response", lost)
        page.goto(f"{at.address}/{language}/?tab={tab}")
        page.wait_for_selector(f"#page-{tab}", state="visible")
        page.wait_for_function("s => document.querySelector(s)?.value", arg=FILLED[tab])
        return page

    yield go
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def screenshots() -> Callable[[Any, str], None]:
    """Keep the page as it is at both widths; nothing may stick out of a phone."""
    folder = REPOSITORY / "runs" / "studio_screenshots"
    folder = Path(os.environ.get("STUDIO_SCREENSHOTS") or folder)
    folder.mkdir(parents=True, exist_ok=True)

    def keep(page: Any, name: str) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(600)
            page.screenshot(path=folder / f"{name}_{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})

    return keep


def choose(page: Any, control: str, value: str) -> None:
    """Type into a list and take what was typed; again while the list does not offer it yet."""
    field, chosen = f"{control} input", False
    for attempt in range(60):
        page.wait_for_timeout(500 if attempt else 0)
        page.fill(field, value)
        page.press(field, "Enter")
        page.press(field, "Tab")  # a list that took nothing shows its former value again
        several = page.locator(f"{control} .token", has_text=value).count()
        chosen = several > 0 or page.input_value(field) == value
        if chosen:
            break
    assert chosen, f"{control} does not offer {value!r}: {page.inner_text(control)}"


def upload(page: Any, control: str, files: Any, name: str) -> None:
    """Give files and wait until the page has them (a name is shown while they are sent, too)."""
    page.set_input_files(f"{control} input[type=file]", files)
    page.wait_for_selector(f"{control} .file-preview-holder:has-text('{name}')")


def ended(page: Any, kind: str, state: str, *, after: Sequence[str] = ()) -> None:
    """Wait until the job a page shows (none of those before) has ended, so."""
    page.wait_for_function(
        "([kind, after]) => { const job = document.querySelector(`#${kind}-status [data-state]`);"
        " return job && !after.includes(job.dataset.job)"
        " && !['waiting', 'running', 'stopping'].includes(job.dataset.state); }",
        arg=[kind, list(after)],
    )
    found = page.get_attribute(f"#{kind}-status [data-state]", "data-state")
    assert found == state, page.inner_text(f"#{kind}-status")


def known_jobs(workspace: Path) -> list[str]:
    """Jobs there are, for `ended(…, after=…)`."""
    return [place.parent.name for place in (workspace / "runs/studio/jobs").glob("*/job.json")]
