"""The listening page in a real browser: three raters hear, answer, save; the analysis is right."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.evaluation.listening import analysis, sheets
from GPT_SoVITS.evaluation.listening.analysis import analyse, read_answers
from GPT_SoVITS.evaluation.listening.config import ListeningConfig
from GPT_SoVITS.evaluation.listening.sheets import (
    ListeningError,
    Stimulus,
    stimuli_of,
    trials_of,
    write_sheets,
)

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--mute-audio"]
RATE = 32000
LIKED = {"plain": 2, "warm": 4}
PATIENCE = 300_000  # ms


def tone(path: Path, f0: float, seconds: float = 0.1) -> Path:
    t = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * f0 * t), RATE)
    return path


@pytest.fixture
def stimuli(tmp_path: Path) -> list[Stimulus]:
    """Two items, said by `plain` and by `warm`, after one turn."""
    found = []
    for k in range(2):
        sounds = {
            name: tone(tmp_path / f"{name}_{k}.wav", 200 + 50 * k + 17 * place)
            for place, name in enumerate(LIKED)
        }
        past = (tone(tmp_path / f"past_{k}.wav", 120.0),)
        found.append(Stimulus(f"i{k}", f"d{k}", f"Sentence <{k}>.", past, past[0], sounds))
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        one = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


def rate(
    browser: Any, page_file: Path, choose: Callable[[str], int], folder: Path, *, form: str
) -> None:
    """Open a page, leave it half-way and come back, answer everything, save."""
    context = browser.new_context(accept_downloads=True, offline=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda r: r.url.startswith("http") and faults.append(r.url))
    page.goto(page_file.as_uri())
    content = json.loads(page.locator("#content").text_content())
    for number, trial in enumerate(content["trials"]):
        assert f"Sentence <{trial['text'][10]}>" in page.locator("#text").inner_text()
        boxes = page.locator("#answers input")
        assert boxes.first.is_disabled() and page.locator("#next").is_disabled()
        for k in range(len(trial["sounds"])):
            page.click(f"#sound{k}")
            page.wait_for_selector(f"#sound{k}.heard")
        page.check(f'#answers input[value="{choose(trial["id"])}"]')
        page.click("#next")
        if number == 1:
            page.reload()  # answers so far are kept
    with page.expect_download() as waiting:
        page.click(f"#{form}")
    waiting.value.save_as(folder / waiting.value.suggested_filename)
    context.close()
    assert not faults


@pytest.mark.timeout(1200)  # a browser on a busy machine
@pytest.mark.parametrize("kind", ["mos", "cmos"])
def test_three_raters_in_a_browser(
    tmp_path: Path, stimuli: list[Stimulus], browser: Any, kind: str, capsys
):
    scales = ("similarity",) if kind == "mos" else ("naturalness",)
    config = ListeningConfig(
        output=str(tmp_path / "test"), kind=kind, scales=scales, max_items=2, raters=3
    )
    pages = write_sheets(config, stimuli)
    key = json.loads((tmp_path / "test" / "key.json").read_text())
    answers = tmp_path / "answers"
    answers.mkdir()
    for number, page in enumerate(pages):
        trials = key["raters"][page.stem]

        def choose(trial: str, trials=trials, number=number) -> int:
            systems = trials[trial]["systems"]
            if kind == "mos":  # the third rater is one point stricter
                return LIKED[systems[0]] - (number == 2)
            return 2 if systems[1] == "warm" else -2

        rate(browser, page, choose, answers, form="csv" if number == 1 else "json")
    command = ["--key", str(tmp_path / "test" / "key.json"), "--answers", str(answers)]
    assert analysis.main([*command, "--output", str(tmp_path / "result")]) == 0
    assert "Krippendorff" in capsys.readouterr().out
    report = json.loads((tmp_path / "result" / "report.json").read_text())
    assert report["missing_raters"] == []
    for scale in scales:
        found = report["scales"][scale]
        gap = found["comparisons"]["warm − plain"]
        assert gap["mean"] == 2.0 and gap["n_items"] == 6
        assert gap["p_value"] == pytest.approx(2 / 64)
        if kind == "mos":
            assert found["systems"]["warm"]["mean"] == pytest.approx(11 / 3)
            assert found["systems"]["plain"]["mean"] == pytest.approx(5 / 3)
            assert found["systems"]["warm"]["low"] < 11 / 3 < found["systems"]["warm"]["high"]
            assert 0.5 < found["alpha"] < 1 and found["raters"]["rater_01"] == pytest.approx(1)
        else:
            assert gap["preferred"]["share"] == 1.0 and gap["preferred"]["low"] > 0.6


def test_pages_are_blind_whole_and_in_other_orders(tmp_path: Path, stimuli: list[Stimulus]):
    config = ListeningConfig(output=str(tmp_path / "t"), kind="ab", max_items=2, raters=8, seed=1)
    pages = write_sheets(config, stimuli)
    texts = [page.read_text(encoding="utf-8") for page in pages]
    for text in texts:
        bare = re.sub(r"data:audio/flac;base64,[A-Za-z0-9+/=]+", "", text)
        assert "warm" not in bare and "plain" not in bare and "i0" not in bare.split("<script")[1]
        assert "http" not in bare and "<0>" not in bare  # nothing to fetch, text is escaped
    orders = [[t["item"] for t in trials_of(config, stimuli, p.stem)] for p in pages]
    sides = [t["systems"][0] for p in pages for t in trials_of(config, stimuli, p.stem)]
    assert len({tuple(order) for order in orders}) > 1 and 8 < sides.count("warm") < 24
    again = write_sheets(config, stimuli)
    assert [page.read_text(encoding="utf-8") for page in again] == texts


def key_and_answers(config: ListeningConfig, stimuli: list[Stimulus], folder: Path, value: int):
    """The key of a test, and files in which everyone answers `value`."""
    write_sheets(config, stimuli)
    key = json.loads((Path(config.output) / "key.json").read_text())
    folder.mkdir()
    for rater, trials in key["raters"].items():
        answers = [{"trial": t, "value": value, "seconds": 1} for t in trials]
        (folder / f"{rater}.json").write_text(json.dumps({"rater": rater, "answers": answers}))
    return key


def test_ab_counts_turn_with_the_side(tmp_path: Path, stimuli: list[Stimulus]):
    config = ListeningConfig(
        output=str(tmp_path / "t"), kind="ab", scales=("naturalness",), max_items=2, raters=6
    )
    key = key_and_answers(config, stimuli, tmp_path / "a", 1)
    judgements, missing = read_answers(tmp_path / "a", key)
    found = analyse(key, judgements)["scales"]["naturalness"]["comparisons"]["warm − plain"]
    warm_second = sum(j.systems[1] == "warm" for j in judgements)
    assert missing == [] and found["better"] == warm_second
    assert found["worse"] == 12 - warm_second and 0 < warm_second < 12


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda a: a["answers"].pop(), "not those of rater_01"),
        (lambda a: a["answers"][0].update(value=6), "6.0 is not 1 to 5"),
        (lambda a: a["answers"][0].update(value=None), "has no answer"),
        (lambda a: a.update(rater="rater_02"), "rater_02"),
        (lambda a: a.update(rater="nobody"), "not in the key"),
    ],
)
def test_answers_that_do_not_fit_are_refused(
    tmp_path: Path, stimuli: list[Stimulus], spoil, message: str
):
    config = ListeningConfig(output=str(tmp_path / "t"), max_items=2, raters=2)
    key = key_and_answers(config, stimuli, tmp_path / "a", 3)
    path = tmp_path / "a" / "rater_01.json"
    values = json.loads(path.read_text())
    spoil(values)
    path.write_text(json.dumps(values))
    with pytest.raises(ListeningError, match=message):
        read_answers(tmp_path / "a", key)


def test_a_page_that_did_not_come_back_is_named(tmp_path: Path, stimuli: list[Stimulus]):
    config = ListeningConfig(output=str(tmp_path / "t"), max_items=2, raters=3)
    key = key_and_answers(config, stimuli, tmp_path / "a", 3)
    (tmp_path / "a" / "rater_02.json").unlink()
    assert read_answers(tmp_path / "a", key)[1] == ["rater_02"]


def run_folder(folder: Path, *, failed: bool = False) -> Path:
    """An evaluation run of two spoken sentences."""
    rows = [{"id": f"s{k}", "text": f"Sentence {k}."} for k in range(2)]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"data": "", "manifest": str(folder / "m.jsonl"), "languages": []}
    source |= {"punctuation": ["as_is"], "split": "valid", "max_items": 9, "seed": 0}
    (folder / "run.json").write_text(json.dumps({"config": {"source": source}}))
    ledger = []
    for system in LIKED:
        for k in range(2):
            tone(folder / f"{system}{k}.wav", 200.0)
            row = {"stage": "speak", "system": system, "item": f"s{k}", "status": "ok"}
            ledger.append(row | {"audio": f"{system}{k}.wav"})
    if failed:
        ledger[-1] |= {"status": "error", "message": "no voice"}
    (folder / "ledger.jsonl").write_text("\n".join(map(json.dumps, ledger)))
    return folder


def test_the_command_reads_an_evaluation_run(tmp_path: Path, caplog):
    run = run_folder(tmp_path)
    command = ["--run", str(run), "--output", str(tmp_path / "t"), "--raters", "2"]
    assert sheets.main(command) == 0
    assert len(list((tmp_path / "t" / "pages").glob("*.html"))) == 2
    assert sheets.main(["--run", str(tmp_path / "nowhere")]) == 2
    assert "no evaluation run" in caplog.text
    assert sheets.main([*command, "--scales", "[similarity]"]) == 2  # nobody spoke before


def test_an_item_that_a_system_failed_to_speak_is_not_left_out(tmp_path: Path):
    with pytest.raises(ListeningError, match="warm has no sound of s1"):
        stimuli_of(run_folder(tmp_path, failed=True))
