"""The quality filter: a clip for each rule, its exact action and reason; nothing is deleted."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from prepare_datasets.correct import undo
from prepare_datasets.quality_filter import main, syllables
from prepare_datasets.quality_rules import (
    Excited,
    Measures,
    QualityRules,
    excited_limits,
    measure,
    verdict,
)
from tests.prepare_datasets.runs import ledger, prepare, products, report, tree
from tests.prepare_datasets.sounds import write_corpus

RATE = 32000
RULES = QualityRules()


def tone(seconds: float, *, f0: float = 150.0, peak: float = 0.4) -> np.ndarray:
    """(T,) a harmonic sound, loud from its first sample to its last."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * n * f0 * time) / n for n in range(1, 6))
    return (peak * sound / np.abs(sound).max()).astype(np.float32)


def silent(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


PAUSE = np.concatenate([tone(1.0), silent(1.4), tone(1.0)])
CLIPS = [
    ("clipped", np.clip(4 * tone(3.0), -1, 1), 12, ("discard", "clipped")),
    ("pause", PAUSE, 12, ("discard", "silence")),
    ("head", np.concatenate([silent(0.5), tone(3.0)]), 12, ("discard", "edge_silence")),
    ("tail", np.concatenate([tone(3.0), silent(0.5)]), 12, ("discard", "edge_silence")),
    ("too short", tone(1.0), 4, ("discard", "length")),
    ("too long", tone(12.5), 50, ("discard", "length")),
    ("short", tone(1.5), 6, ("reference", "length")),
    ("long", tone(9.0), 36, ("reference", "length")),
    ("shouted", tone(3.0, f0=320.0, peak=0.9), 12, ("reference", "excited")),
    ("hurried", tone(3.0), 21, ("reference", "rate")),
    ("slow", tone(3.0), 5, ("reference", "rate")),
    ("fine", tone(3.0), 12, ("keep", "")),
]


@pytest.mark.parametrize(("name", "sound", "spoken", "expected"), CLIPS, ids=[c[0] for c in CLIPS])
def test_every_rule_has_its_action_and_reason(
    name: str, sound: np.ndarray, spoken: int, expected: tuple[str, str]
):
    others = [measure(tone(3.0), sample_rate=RATE, syllables=12, rules=RULES)] * 20
    clip = measure(sound, sample_rate=RATE, syllables=spoken, rules=RULES)
    limits = excited_limits([*others, clip], RULES)
    louder = dataclasses.replace(limits, rms=limits.rms * 1.01)  # the others are all alike
    assert verdict(clip, louder, RULES) == expected


def test_what_is_measured():
    sound = np.concatenate([silent(0.25), tone(2.0, f0=200.0), silent(0.5)])
    found = measure(sound, sample_rate=RATE, syllables=11, rules=RULES)
    assert found.f0 == pytest.approx(200, rel=0.01)
    assert (found.seconds, found.rate) == (2.75, 4.0)
    assert found.head_silence == pytest.approx(0.25, abs=0.07)
    assert found.tail_silence == pytest.approx(0.5, abs=0.07)
    nothing = measure(silent(0.01), sample_rate=RATE, syllables=0, rules=RULES)
    assert (nothing.f0, nothing.silence_share) == (0.0, 1.0)


FINE = Measures(3.0, 0.1, 150.0, 4.0, 0.1, 0.1, 0.1, 0.5, 0.0)
BORDERS = [
    ({"seconds": 1.2}, ("reference", "length")),
    ({"seconds": 1.199}, ("discard", "length")),
    ({"seconds": 2.2}, ("keep", "")),
    ({"seconds": 2.199}, ("reference", "length")),
    ({"seconds": 8.0}, ("keep", "")),
    ({"seconds": 12.0}, ("reference", "length")),
    ({"silence_share": 0.30}, ("keep", "")),
    ({"silence_share": 0.301}, ("discard", "silence")),
    ({"head_silence": 0.30}, ("keep", "")),
    ({"tail_silence": 0.301}, ("discard", "edge_silence")),
    ({"rate": 6.5}, ("keep", "")),
    ({"rate": 6.51}, ("reference", "rate")),
    ({"rate": 2.19}, ("reference", "rate")),
    ({"peak": 0.99, "clipped_share": 0.0011}, ("discard", "clipped")),
    ({"peak": 0.989, "clipped_share": 0.0011}, ("keep", "")),
    ({"rms": 0.2}, ("keep", "")),  # loud, not high
    ({"rms": 0.2, "f0": 300.0}, ("reference", "excited")),
]


@pytest.mark.parametrize(("change", "expected"), BORDERS)
def test_borders(change: dict[str, float], expected: tuple[str, str]):
    clip = dataclasses.replace(FINE, **change)
    assert verdict(clip, Excited(rms=0.2, f0=300.0), RULES) == expected


def test_syllables_of_both_languages():
    assert syllables(["HH", "AH0", "L", "OW1", "!"]) == 2
    assert syllables(["n", "i3", "h", "ao3", ","]) == 2


def test_rules_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="best_max"):
        QualityRules(best_max_seconds=20.0)


def run(data: Path, *options: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["--data", str(data), *options])
        raise SystemExit(0)
    return int(end.value.code or 0)


def test_it_only_looks_unless_asked_and_what_it_drops_can_be_taken_back(tmp_path: Path):
    raw = write_corpus(tmp_path / "raw", dialogues=2)
    soundfile.write(raw / "1" / "1_1_d1.wav", tone(2.5, peak=0.5), RATE)
    data = tmp_path / "data"
    assert run(data) == 2  # not prepared yet
    assert prepare(raw, data) == 0
    before = tree(data)
    assert run(data) == 0
    assert {name: tree(data)[name] for name in before} == before
    with (data / "quality.csv").open(encoding="utf-8") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert len(rows) == 8 and rows["t/0/0"]["action"] == "discard"  # 0.9 s
    assert rows["t/0/0"]["reason"] == "length" and float(rows["t/0/0"]["seconds"]) == 0.9
    assert rows["t/1/1"]["action"] != "discard"
    times = (data / "quality" / "measures.jsonl").stat().st_mtime_ns
    assert run(data) == 0
    assert (data / "quality" / "measures.jsonl").stat().st_mtime_ns == times  # nothing to do

    assert run(data, "--apply", "discard") == 0
    assert run(data, "--apply", "discard") == 0  # no line twice
    lines = (data / "corrections.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [i for i in rows if i != "t/1/1"]
    assert prepare(raw, data) == 0
    assert report(data)["kept"] == 1 and list(products(data)) == ["t/1/1"]
    assert any("quality: length" in json.dumps(one) for one in ledger(data))
    assert len(list(raw.rglob("*.wav"))) == 8  # recordings are never touched
    undo(data, 1)
    prepare(raw, data)
    assert "t/0/0" in products(data)
