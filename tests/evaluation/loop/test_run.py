"""The loop with a made manifest: killed and resumed, broken sounds, failing recognisers, report."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.evaluation.asr import AsrConfig, AsrError, Transcript
from GPT_SoVITS.evaluation.loop import run as loop
from GPT_SoVITS.evaluation.loop.config import EvaluateConfig, ItemsConfig
from GPT_SoVITS.evaluation.loop.items import ItemsError, punctuated, read_items
from GPT_SoVITS.evaluation.loop.ledger import Ledger

RATE = 32000
TEXTS = ["Good morning to you.", "It is nine.", "Where is the train?", "I like tea."]


def tone(seconds: float = 0.5, f0: float = 150.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return sum(0.2 / k * np.sin(2 * np.pi * f0 * k * t) for k in range(1, 8)).astype(np.float32)


class Ear:
    """Hears every text right when the sound is low, drops the first word when it is high."""

    identity, unit = "ear", "words"

    def __init__(self, *, fails_on: str = "") -> None:
        self.fails_on, self.text, self.calls = fails_on, {}, Counter()

    def languages(self) -> tuple[str, ...]:
        return ("en",)

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        text = self.text[len(samples)]
        self.calls[text] += 1
        if text == self.fails_on:
            raise AsrError("the recogniser broke")
        crossings = np.sum(np.diff(np.sign(samples)) != 0) / (len(samples) / sample_rate)
        return Transcript(text if crossings < 700 else text.split(" ", 1)[1])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Four sentences, each recording of its own length; in two dialogues."""
    rows = []
    for number, text in enumerate(TEXTS):
        soundfile.write(tmp_path / f"{number}.wav", tone(0.5 + 0.1 * number), RATE)
        rows.append({"id": f"s{number}", "text": text, "audio": f"{number}.wav"})
        rows[-1] |= {"language": "en", "group": f"d{number // 2}"}
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Ear:
    one = Ear()
    one.text = {int((0.5 + 0.1 * k) * RATE): text for k, text in enumerate(TEXTS)}
    monkeypatch.setattr(loop, "open_recognizer", lambda config, domain_texts: one)
    monkeypatch.setattr(loop, "model_hash", lambda folder: str(folder))
    return one


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """What was synthesised how often; `good` speaks like the recording, `high` an octave up."""
    done: Counter[tuple[str, str]] = Counter()
    own = loop.Voices.speaker

    def speaker(self, system):
        if system == "recorded":
            return own(self, system)

        def speak(item):
            done[system, item.id] += 1
            length = 0.5 + 0.1 * int(item.id[1])
            return tone(length, 300.0 if system == "high" else 150.0), {"wall_seconds": 0.25}

        return speak

    monkeypatch.setattr(loop.Voices, "speaker", speaker)
    return done


def config(manifest: Path, **more) -> EvaluateConfig:
    values = {
        "output": str(manifest.parent / "out"),
        "source": ItemsConfig(manifest=str(manifest)),
        "models": {"good": "a", "high": "b"},
        "latency_items": 0,
        "recognizers": (AsrConfig(),),
    }
    return EvaluateConfig(**(values | more))


def test_the_report_holds_errors_pairs_and_every_item(manifest: Path, ear: Ear, spoken: Counter):
    summary = loop.run(config(manifest))
    errors = {s: v["errors"]["pocketsphinx"]["words"]["all"] for s, v in summary["systems"].items()}
    assert errors["recorded"]["corpus"] == errors["good"]["corpus"] == 0.0
    words = sum(len(text.split()) for text in TEXTS)
    assert errors["high"]["D"] == 4 and errors["high"]["corpus"] == pytest.approx(4 / words)
    expected = np.mean([1 / len(text.split()) for text in TEXTS])
    assert errors["high"]["mean_utterance"] == pytest.approx(expected)
    pair = summary["pairs"]["high − good"]["pocketsphinx"]
    assert pair["mean"] == pytest.approx(expected) and pair["n_groups"] == 2
    against = summary["systems"]["high"]["against"]
    assert against["log_f0_rmse"]["mean"] == pytest.approx(12, abs=0.5)
    assert summary["systems"]["good"]["against"]["mcd_db"]["mean"] < 0.5
    assert summary["systems"]["good"]["speed"]["all"]["n"] == 4
    out = manifest.parent / "out"
    page = (out / "report.html").read_text()
    assert page.count("<audio") == 12 and "data:image/png;base64" in page
    rows = list(csv.DictReader((out / "items.csv").open(encoding="utf-8")))
    assert len(rows) == 12 and {row["status"] for row in rows} == {"ok"}
    assert "| high | pocketsphinx | words | all | 4 |" in (out / "report.md").read_text()


@pytest.mark.parametrize("after", [0, 3, 5])
def test_a_killed_run_loses_and_repeats_nothing(
    manifest: Path, ear: Ear, spoken: Counter, monkeypatch: pytest.MonkeyPatch, after: int
):
    whole = loop.run(config(manifest, output=str(manifest.parent / "whole")))
    spoken.clear()
    ear.calls.clear()
    add, count = Ledger.add, Counter()

    def killed(self, row):
        if count["rows"] == 2 * after + 1:
            raise KeyboardInterrupt
        count["rows"] += 1
        add(self, row)

    monkeypatch.setattr(Ledger, "add", killed)
    with pytest.raises(KeyboardInterrupt):
        loop.run(config(manifest))
    monkeypatch.setattr(Ledger, "add", add)
    ledger = manifest.parent / "out" / "ledger.jsonl"
    with ledger.open("a") as file:
        file.write('{"stage": "speak", "system": "go')  # the kill cut a line
    again = loop.run(config(manifest))
    assert json.dumps(again, sort_keys=True) == json.dumps(whole, sort_keys=True)
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    keys = [(row["stage"], row["system"], row["item"]) for row in rows]
    assert len(keys) == len(set(keys)) == 24
    assert sum(spoken.values()) <= 8 + 1 and sum(ear.calls.values()) <= 12 + 1


def test_a_broken_wav_is_one_row_and_stays_in_the_denominator(
    manifest: Path, ear: Ear, spoken: Counter, caplog: pytest.LogCaptureFixture
):
    (manifest.parent / "1.wav").write_bytes(b"RIFF no sound")
    with pytest.raises(loop.EvaluateError, match="recorded: s1"):
        loop.run(config(manifest))
    summary = loop.run(config(manifest, on_failure="count"))
    words = summary["systems"]["recorded"]["errors"]["pocketsphinx"]["words"]["all"]
    assert (words["utterances"], words["N"]) == (4, sum(len(t.split()) for t in TEXTS))
    assert words["D"] == 3 and summary["systems"]["recorded"]["failed"] == ["s1"]
    assert summary["systems"]["good"]["failed"] == ["s1"]  # nothing to compare it with


def test_a_missing_wav_fails_too_and_a_mended_one_can_be_tried_again(
    manifest: Path, ear: Ear, spoken: Counter
):
    sound = (manifest.parent / "2.wav").read_bytes()
    (manifest.parent / "2.wav").unlink()
    with pytest.raises(loop.EvaluateError, match="s2"):
        loop.run(config(manifest, models={"good": "a"}))
    (manifest.parent / "2.wav").write_bytes(sound)
    with pytest.raises(loop.EvaluateError, match="s2"):  # failed rows are rows
        loop.run(config(manifest, models={"good": "a"}))
    loop.run(config(manifest, models={"good": "a"}, retry_failed=True))


def test_a_recogniser_that_breaks_is_one_row(manifest: Path, ear: Ear, spoken: Counter):
    ear.fails_on = TEXTS[3]
    summary = loop.run(config(manifest, on_failure="count", models={"good": "a"}))
    assert summary["systems"]["good"]["failed"] == ["s3"]
    assert summary["systems"]["good"]["errors"]["pocketsphinx"]["words"]["all"]["utterances"] == 4


def test_another_model_may_not_continue_the_run(manifest: Path, ear: Ear, spoken: Counter):
    loop.run(config(manifest))
    with pytest.raises(loop.EvaluateError, match="other models"):
        loop.run(config(manifest, models={"good": "a", "high": "c"}))


def test_punctuation_variants_keep_the_words(manifest: Path):
    items = read_items(ItemsConfig(manifest=str(manifest), punctuation=("as_is", "none", "commas")))
    assert len(items) == 12
    said = [item.dialogue.response.text for item in items[:3]]
    assert said == ["Good morning to you.", "Good morning to you", "Good, morning, to, you"]
    assert {item.text for item in items[:3]} == {TEXTS[0]}
    assert punctuated(items[0], "exclaim").id == "s0#exclaim"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "id": "x"}\n{"text": "b", "id": "x"}', "twice"),
        ('{"id": "x"}', "text is missing"),
        ('{"text": "a", "audoi": "x.wav"}', "unknown columns"),
        ("{broken", "not JSONL"),
    ],
)
def test_bad_manifests_are_refused_by_name(tmp_path: Path, content: str, message: str):
    path = tmp_path / "m.jsonl"
    path.write_text(content)
    with pytest.raises(ItemsError, match=message):
        read_items(ItemsConfig(manifest=str(path)))
