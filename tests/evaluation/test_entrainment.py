"""Entrainment on made dialogues: mirrors, strangers, and the table of the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.evaluation.entrainment import (
    FEATURES,
    TurnFeatures,
    compare,
    entrainment,
    measure,
    spoken_by,
    table,
)


def talk(user: list[float], agent: list[float]) -> list[TurnFeatures]:
    """Turns u a u a …; every feature has the same value."""
    turns = []
    for u, a in zip(user, agent):
        turns += [TurnFeatures("u", dict.fromkeys(FEATURES, u))]
        turns += [TurnFeatures("a", dict.fromkeys(FEATURES, a))]
    return turns


def mirrored(seed: int) -> list[TurnFeatures]:
    user = np.random.default_rng(seed).normal(size=12)
    return talk(user.tolist(), (100 + 5 * user).tolist())  # another voice, the same movement


def independent(seed: int) -> list[TurnFeatures]:
    rng = np.random.default_rng(seed)
    return talk(rng.normal(size=12).tolist(), rng.normal(size=12).tolist())


def test_a_mirror_is_near_and_in_step_though_its_voice_is_another():
    found = measure({str(k): mirrored(k) for k in range(12)})["pitch_level"]
    assert found["proximity"]["low"] > 0.3
    assert found["synchrony"]["low"] > 0.3
    chance = measure({str(k): independent(k) for k in range(12)})["pitch_level"]
    assert chance["proximity"]["low"] < 0 < chance["proximity"]["high"]


def test_approach_over_time_is_convergence():
    rng = np.random.default_rng(0)
    user = rng.normal(size=20)
    noise = rng.normal(size=20) * np.linspace(3, 0, 20)
    assert entrainment(talk(user.tolist(), (user + noise).tolist()), "rate")["convergence"] > 0.3


def test_turns_without_pitch_are_left_out_not_taken_as_zero():
    turns = mirrored(1)
    turns[4] = TurnFeatures("u", dict(turns[4].values) | {"pitch_level": float("nan")})
    assert np.isfinite(entrainment(turns, "pitch_level")["synchrony"])


def test_one_turn_each_has_nothing_to_measure():
    assert entrainment(talk([1.0], [2.0]), "rate") == {}


def test_generated_against_recorded_is_paired_by_dialogue():
    real = measure({str(k): mirrored(k) for k in range(10)})
    made = measure({str(k): independent(k) for k in range(10)})
    gap = compare(real, made)["pitch_level"]["proximity"]
    assert gap["high"] < 0 and gap["p_value"] < 0.05
    assert compare(real, real)["rate"]["synchrony"]["mean"] == pytest.approx(0.0)
    assert "pitch_level" in table(real, title="recorded")


def test_replies_of_a_run_are_found_by_turn(tmp_path: Path):
    rows = [
        {"stage": "speak", "system": "demo", "item": "a/1", "status": "ok", "audio": "s/1.wav"},
        {"stage": "speak", "system": "demo", "item": "a/3", "status": "error", "message": "no"},
        {"stage": "speak", "system": "recorded", "item": "a/1", "status": "ok", "audio": "r.wav"},
        {"stage": "score", "system": "demo", "item": "a/1", "status": "ok"},
    ]
    (tmp_path / "ledger.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert spoken_by(tmp_path, "demo") == {"a/1": tmp_path / "s/1.wav"}
    with pytest.raises(ValueError, match="no sound of a system 'other'"):
        spoken_by(tmp_path, "other")
