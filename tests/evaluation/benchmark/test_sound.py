"""The benchmark's judged sound: frame errors by hand, and all arms of a real, untrained stage 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.dialogue.manifest import read_s1, read_s2, write_records
from GPT_SoVITS.evaluation.benchmark.conditions import donors
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import Item, Rule, style_of
from GPT_SoVITS.evaluation.benchmark.enrichment import (
    ARMS,
    MEASURES,
    PAIRS,
    frame_errors,
    score_enrichment,
    summarise,
)
from GPT_SoVITS.evaluation.benchmark.exam import Exam
from GPT_SoVITS.evaluation.benchmark.probe import StyleProbe
from GPT_SoVITS.evaluation.benchmark.report import arms_table, pairs_table, sound_table
from GPT_SoVITS.evaluation.benchmark.sound import SPOKEN, references, score_sound
from GPT_SoVITS.training import train_s1, train_s2
from prepare_datasets.command import main as prepare
from prepare_datasets.demo_corpus import STYLES, CorpusPlan, write_corpus
from tests.tiny_talker import voice
from tests.training.tiny import arguments


def test_frame_errors_are_semitones_and_decibels():
    low, high = voice(120.0, 1.0), voice(120.0 * 2 ** (3 / 12), 1.0)
    pitch, energy = frame_errors(low, low)
    assert pitch == energy == 0
    assert frame_errors(low, high)[0] == pytest.approx(3, abs=1.2)  # the ends pull
    assert frame_errors(low, 0.5 * low)[1] == pytest.approx(20 * np.log10(2), abs=0.1)
    silent = np.zeros(SAMPLE_RATE, np.float32)
    assert np.isnan(frame_errors(low, silent)[0]) and frame_errors(low, silent)[1] > 20


def test_a_null_result_has_intervals_that_hold_zero():
    rng = np.random.default_rng(0)
    values = {arm: {m: rng.normal(size=40).tolist() for m in MEASURES} for arm in ARMS}
    values["style true"]["energy_error"] = (rng.normal(size=40) - 3).tolist()
    values["off"]["log_f0_error"][0] = float("nan")
    found = summarise(values, [f"d{k // 2}" for k in range(40)])
    assert found["arms"]["both true"]["log_f0_error"]["n_items"] == 39  # the same for all arms
    none = found["pairs"]["text true − off"]["style_agreement"]
    assert none["low"] < 0 < none["high"] and none["p_value"] > 0.05
    gain = found["pairs"]["style true − off"]["energy_error"]
    assert gain["high"] < -2 and gain["p_value"] < 0.01
    rows = pairs_table({"seeds": {"1": {"enrichment": found}}})[1]
    assert len(rows) == len(PAIRS) == 6


@pytest.fixture(scope="module")
def spoken_world(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A real small corpus whose validation split holds everything, and a stage 2 of two steps."""
    folder = tmp_path_factory.mktemp("sound")
    write_corpus(folder / "raw", CorpusPlan(dialogues=24, exchanges=(2, 3), chinese=0.0))
    config = repository / "configs" / "data" / "demo_tiny.yaml"
    command = ["--config", str(config), "--raw", str(folder / "raw"), "--card", "false"]
    with pytest.raises(SystemExit):
        prepare([*command, "--output", str(folder / "data")])
    sequences = folder / "data" / "5_sequences"
    for stage, read in (("s1", read_s1), ("s2", read_s2)):
        both = [
            r for split in ("train", "valid") for r in read(sequences / f"{stage}_{split}.jsonl")
        ]
        write_records(sequences / f"{stage}_valid.jsonl", both)
    train_s2.main(arguments("s2", folder / "data", folder / "run", 2))
    train_s1.main(arguments("s1", folder / "data", folder / "run", 2))
    return folder


@pytest.mark.slow
def test_every_arm_is_spoken_and_judged(spoken_world: Path):
    data = spoken_world / "data"
    records = list(read_s1(data / "5_sequences" / "s1_valid.jsonl"))
    items = [Item(r.dialogue, r.turns, 3, style_of(r.turns[3])) for r in records][:10]
    exam = Exam(
        items,
        donors(items, seed=0),
        Rule({style: style for style in STYLES}, 1.0),
        StyleProbe(np.zeros((1, 1))),
        64,
        {},
    )
    config = BenchmarkConfig(data=str(data), output=str(spoken_world / "out"), audio_items=4)
    talker = spoken_world / "run" / "talker"
    asked = references(data, exam, range(len(items)))
    for k, turn in asked.items():
        assert turn.speaker == items[k].response.speaker
        assert style_of(turn) not in (items[k].style, exam.given[k])
    replies = {name: [item.response.codes for item in items] for name in SPOKEN}
    found = score_sound(config, 1234, exam, talker, replies)
    assert found["recordings"]["mean"] >= 0.5  # real speech is judged well
    assert set(SPOKEN) <= set(found) and "agreement_with_given" in found["history shuffled"]
    assert len(sound_table({"seeds": {"1234": {"sound": found}}})[1]) == 4
    arms = score_enrichment(config, 1234, exam, talker)
    assert set(arms["arms"]) == set(ARMS) and arms["items"] == found["items"]
    assert len(arms_table({"seeds": {"1234": {"enrichment": arms}}})[1]) == len(ARMS)
    # An untrained enrichment starts at zero: what it hears changes nothing yet.
    swap = arms["pairs"]["both true − both swapped"]["energy_error"]
    assert swap["mean"] == pytest.approx(0, abs=0.2)
    assert score_enrichment(config, 1234, exam, talker) == arms  # kept
