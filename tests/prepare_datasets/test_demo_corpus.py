"""The demo corpus: styles follow the stated rule, texts do not tell them, plans are stable."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from string import Formatter

import numpy as np
import pytest
import soundfile

from prepare_datasets.demo_corpus import (
    CALM,
    RULES,
    STYLES,
    CorpusPlan,
    plan_dialogue,
    write_corpus,
)
from prepare_datasets.demo_text import BANKS, read_bank
from prepare_datasets.espeak import Prosody, synthesizer


def styles(plan: CorpusPlan, number: int) -> list[str]:
    return [turn["style"]["name"] for turn in plan_dialogue(plan, number)]


def test_the_agent_mirrors_or_calms_the_users_last_style():
    for number in range(20):
        mirrored = styles(CorpusPlan(rule="mirror"), number)
        calmed = styles(CorpusPlan(rule="calm"), number)
        assert mirrored[1::2] == mirrored[0::2]
        assert calmed[1::2] == [CALM[style] for style in calmed[0::2]]


def test_rules_change_the_agents_style_and_nothing_else():
    for number in range(10):
        one = plan_dialogue(CorpusPlan(rule="mirror"), number)
        two = plan_dialogue(CorpusPlan(rule="contrast"), number)
        assert [turn["text"] for turn in one] == [turn["text"] for turn in two]
        assert [turn["style"] for turn in one[0::2]] == [turn["style"] for turn in two[0::2]]
        assert [turn["style"] for turn in one[1::2]] != [turn["style"] for turn in two[1::2]]


def test_a_dialogue_does_not_depend_on_the_size_of_the_corpus():
    assert plan_dialogue(CorpusPlan(dialogues=8), 5) == plan_dialogue(CorpusPlan(dialogues=99), 5)
    assert plan_dialogue(CorpusPlan(seed=1), 5) != plan_dialogue(CorpusPlan(seed=2), 5)


def test_the_same_agent_text_is_said_in_every_style():
    seen: dict[str, set[str]] = {}
    for number in range(3000):
        for turn in plan_dialogue(CorpusPlan(), number)[1::2]:
            seen.setdefault(turn["text"], set()).add(turn["style"]["name"])
    assert seen["There is some in the kitchen."] == set(STYLES)
    assert sum(len(kinds) > 1 for kinds in seen.values()) > 100


def test_languages_and_styles_are_balanced():
    plans = [plan_dialogue(CorpusPlan(), number) for number in range(200)]
    languages = Counter(turns[0]["language"] for turns in plans)
    assert abs(languages["zh"] - languages["en"]) <= 6
    counts = Counter(turn["style"]["name"] for turns in plans for turn in turns)
    assert min(counts.values()) > 0.15 * sum(counts.values())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="mirror"):
        CorpusPlan(rule="shout")
    assert "independent" in RULES


def test_files_are_in_ncssd_layout_and_kept_on_the_second_run(tmp_path: Path):
    plan = CorpusPlan(dialogues=2)
    spoken = write_corpus(tmp_path, plan)
    assert spoken == sum(len(plan_dialogue(plan, number)) for number in range(2))
    metadata = json.loads((tmp_path / "1" / "metadata.json").read_text(encoding="utf-8"))
    for index, turn in metadata["utterents"].items():
        name = f"{index}_{turn['speaker']}_d1"
        samples, rate = soundfile.read(tmp_path / "1" / f"{name}.wav")
        assert rate == turn["sample_rate"] and 0.3 < len(samples) / rate < 4
        text = (tmp_path / "1" / f"{name}.lab").read_text(encoding="utf-8")
        assert text.strip() == turn["text"]
        assert turn["global_speaker"].startswith(turn["language"])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    assert write_corpus(tmp_path, plan) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")} == before


def test_another_rule_speaks_the_dialogue_again(tmp_path: Path):
    write_corpus(tmp_path, CorpusPlan(dialogues=1))
    assert write_corpus(tmp_path, CorpusPlan(dialogues=1, rule="contrast")) > 0


@pytest.mark.parametrize("voice, text", [("en-us+f1", "See you at noon."), ("cmn+m1", "中午见。")])
def test_loudness_and_rate_act(voice: str, text: str):
    engine = synthesizer()
    base = Prosody(pitch=50, range=50, rate=175, loudness=50)
    slow = engine.speak(text, voice, base)
    fast = engine.speak(text, voice, Prosody(pitch=50, range=50, rate=260, loudness=100))
    assert len(fast) < 0.85 * len(slow)
    assert np.std(fast) > 1.5 * np.std(slow)
    assert np.abs(fast).max() <= 1


@pytest.mark.parametrize("bank", BANKS)
def test_every_slot_of_a_text_bank_is_defined_used_and_varied(bank: str):
    for language, texts in read_bank(bank).items():
        lines = [line for topic in texts["topics"] for pair in topic for line in pair]
        used = {slot for line in lines for _, slot, _, _ in Formatter().parse(line) if slot}
        assert used == set(texts["slots"]), (bank, language)
        assert all(len(set(words)) == len(words) >= 5 for words in texts["slots"].values())
        assert len(texts["topics"]) >= 3, "a dialogue draws three topics"


def test_the_larger_bank_writes_lines_the_smaller_one_cannot():
    small, large = (
        {line for n in range(60) for line in (t["text"] for t in plan_dialogue(plan, n))}
        for plan in (CorpusPlan(), CorpusPlan(texts="everyday"))
    )
    assert len(large - small) > len(large) // 2
    with pytest.raises(ValueError, match="text bank"):
        CorpusPlan(texts="weather")
