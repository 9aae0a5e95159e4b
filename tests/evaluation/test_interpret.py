"""Looking inside a reply: attention that sums to one, trajectories, and a swapped history."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.dialogue import Dialogue, Turn
from GPT_SoVITS.evaluation import interpret
from GPT_SoVITS.inference import Talker
from tests.tiny_talker import voice


@pytest.fixture
def dialogue(talker_folder: Path, tmp_path: Path) -> Dialogue:
    sound = [tmp_path / f"{k}.wav" for k in range(3)]
    for path, pitch in zip(sound, (120.0, 180.0, 240.0)):
        save_audio(path, voice(pitch, 0.6), sample_rate=SAMPLE_RATE)
    turns = (
        Turn("user", "Good morning.", "en", str(sound[0])),
        Turn("agent", "Hello.", "en", str(sound[1])),
        Turn("user", "How are you?", "en"),
    )
    return Dialogue(turns, Turn("agent", "I am fine.", "en"))


@pytest.fixture
def talker(talker_folder: Path) -> Talker:
    one = Talker.load(talker_folder, device="cpu")
    one.options = replace(one.options, max_seconds=0.8)
    return one


def test_attention_rows_are_tokens_and_columns_are_the_turns(talker: Talker, dialogue: Dialogue):
    spoken = interpret.speak(talker, dialogue, seed=0)
    weights, spans = interpret.attention(talker, spoken.encoded)
    n = len(spoken.encoded[-1].codes)
    assert weights.shape[0] == n + 1  # its EOS too
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    labels = [span.label for span in spans]  # a window of two turns; the last one has no speech
    assert labels == [
        "2 agent text",
        "2 agent speech",
        "3 user text",
        "4 agent text",
        "4 agent speech",
    ]
    assert spans[-1].stop == weights.shape[1]
    assert sum(interpret.shares(weights, spans).values()) == pytest.approx(1, abs=1e-4)
    start = spans[-1].start  # token k is predicted from tokens before it
    assert weights[0, start:].sum() == 0 and weights[1, start + 1 :].sum() == 0


def test_attention_finds_the_column_a_model_was_made_to_look_at(talker, dialogue):
    """Keys of the first history segment are favoured by a bias on the turn distance."""
    spoken = interpret.speak(talker, dialogue, seed=0)
    plain = interpret.shares(*interpret.attention(talker, spoken.encoded))
    talker.s1.turn_bias = torch.nn.Parameter(torch.zeros(3, talker.s1.config.n_head))
    talker.s1.turn_bias.data[2] = 8.0
    looked = interpret.shares(*interpret.attention(talker, spoken.encoded))
    two_back = [share for name, share in looked.items() if name.startswith("2 ")]
    assert sum(two_back) > 0.95 > sum(s for n, s in plain.items() if n.startswith("2 "))


def test_a_trajectory_has_a_point_per_turn_with_sound(talker: Talker, dialogue: Dialogue):
    spoken = interpret.speak(talker, dialogue, seed=0)
    styles = interpret.trajectory(spoken.turns, spoken.samples)
    pitch = [style["pitch_level"] for style in styles]
    assert pitch[1] - pitch[0] == pytest.approx(12 * np.log2(180 / 120), abs=0.5)
    assert np.isnan(pitch[2]) and len(styles) == 4


def test_the_command_shows_what_another_turn_would_change(
    talker_folder: Path, dialogue: Dialogue, tmp_path: Path, caplog
):
    path = tmp_path / "dialogue.json"
    turns = [{"speaker": t.speaker, "text": t.text, "language": "en"} for t in dialogue.turns]
    for values, turn in zip(turns, dialogue.turns):
        values |= {"audio": turn.audio} if turn.audio else {}
    response = {"speaker": "agent", "text": "Fine.", "language": "en"}
    path.write_text(json.dumps({"turns": turns, "response": response, "schema_version": 1}))
    command = ["--model", str(talker_folder), "--dialogue", str(path)]
    command += ["--output", str(tmp_path / "out")]
    other = str(tmp_path / "2.wav")
    assert interpret.main([*command, "--swap", "2", other, "Go away."]) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    first, second = found["what_if"]["first_reply_nats_per_token"]
    assert first > 0 and second > 0 and first != second
    assert set(found["what_if"]["style"]) == {"pitch_level", "pitch_range", "rate", "loudness"}
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("<audio") == 2 and html.count("data:image/png") == 5
    assert interpret.main([*command, "--swap", "9", other]) == 2
    assert "turns 1 to 3" in caplog.text
