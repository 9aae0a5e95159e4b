"""What the speaking commands write beside the sound, and whose voice they take."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS import Talker
from GPT_SoVITS.__main__ import main as commands
from GPT_SoVITS.adapters.file import Adapter, AdapterHeader, fingerprint, save_adapter
from GPT_SoVITS.audio.io import load_audio, save_audio
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.inference import cli
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.inference.talker import Talker as TalkerClass
from tests.tiny_talker import voice, write_tiny_talker

SAY = ["--text", "Good morning, my friend.", "--speaker", "anna", "--max-seconds", "1"]


def speak(talker: Path, output: Path, *more: str) -> int:
    return commands(["speak", "--model", str(talker), "--output", str(output), *SAY, *more])


def test_subtitles_and_json_beside_the_sound(talker_folder: Path, tmp_path: Path) -> None:
    srt, timed = tmp_path / "a" / "x.srt", tmp_path / "x.json"
    flags = ["--srt", str(srt), "--json", str(timed)]
    assert speak(talker_folder, tmp_path / "x.wav", *flags) == 0
    found = json.loads(timed.read_text(encoding="utf-8"))
    assert [word["text"] for word in found["words"]] == ["Good", "morning", "my", "friend"]
    assert found["seconds"] * 25 == pytest.approx(len(found["codes"]))
    assert found["words"][-1]["end"] <= found["seconds"]
    assert srt.read_text(encoding="utf-8").startswith("1\n00:00:0")


def test_the_models_own_options_are_the_commands_defaults(tmp_path: Path) -> None:
    options = {"max_seconds": 0.4, "eos_guard": 20, "precision": "fp32"}
    model = write_tiny_talker(tmp_path, options=options)
    say = ["speak", "--model", str(model), "--text", "Hello.", "--speaker", "anna", "--output"]
    assert commands([*say, str(tmp_path / "own.wav")]) == 0
    assert commands([*say, str(tmp_path / "told.wav"), "--max-seconds", "0.6"]) == 0
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "text": "Hello.", "speaker": "anna"}\n', encoding="utf-8")
    batch = ["batch", "--model", str(model), "--manifest", str(rows), "--output", str(tmp_path)]
    assert commands(batch) == 0
    lengths = {name: len(load_audio(tmp_path / f"{name}.wav")) for name in ("own", "told", "a")}
    assert lengths == {"own": 0.4 * 32000, "told": 0.6 * 32000, "a": 0.4 * 32000}


def test_the_same_seed_at_another_speed_says_the_same_tokens(talker_folder: Path) -> None:
    """What "freeze" is for: speed, pauses and noise change the sound of tokens already drawn."""
    talker = Talker.load(talker_folder, device="cpu")
    base = GenerationOptions(max_seconds=1, precision="fp32", seed=3)

    def said(**change: float) -> Speech:
        options = dataclasses.replace(base, **change)
        return talker.speak(None, "Hello there.", speaker="anna", options=options)

    first = said()
    assert said(noise_scale=0.0).codes == said(part_pause=1.0).codes == first.codes
    assert said(speed=1.25).codes[:25] == first.codes, "a second of sound has more of them"
    assert said(seed=4).codes != first.codes
    assert not np.array_equal(said(noise_scale=0.0).samples, first.samples)


@pytest.mark.parametrize("turns, language", [(0, "en"), (1, "en"), (2, "zh"), (5, "en")])
def test_a_dialogue_of_any_length_is_answered(
    talker_folder: Path, tmp_path: Path, turns: int, language: str
) -> None:
    spoken = {"en": "Can you help me?", "zh": "你能帮我吗？"}[language]
    said = {"en": "Of course I can.", "zh": "当然可以。"}[language]
    dialogue = {
        "schema_version": 1,
        "turns": [
            {"speaker": ("anna", "user")[i % 2], "text": spoken, "language": language}
            | ({} if i % 2 else {"audio": str(talker_folder.parent / "anna.wav")})
            for i in range(turns)
        ],
        "response": {"speaker": "anna", "text": said, "language": language},
    }
    path, timed = tmp_path / "dialogue.json", tmp_path / "x.json"
    path.write_text(json.dumps(dialogue), encoding="utf-8")
    command = ["--model", str(talker_folder), "--dialogue", str(path), "--max-seconds", "0.6"]
    assert cli.main([*command, "--output", str(tmp_path / "x.wav"), "--json", str(timed)]) == 0
    codes = json.loads(timed.read_text(encoding="utf-8"))["codes"]
    assert 0 < len(codes) <= 15
    assert len(load_audio(tmp_path / "x.wav")) == 1280 * len(codes)


def test_a_stream_that_looks_ahead_to_the_end_is_the_whole(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder)
    options = GenerationOptions(max_seconds=2, lookahead_tokens=250, precision="fp32")
    whole = talker.speak(None, "hello there", speaker="anna", options=options)
    chunks = list(talker.stream(None, "hello there", speaker="anna", options=options))
    sound = np.concatenate([chunk.samples for chunk in chunks])
    np.testing.assert_allclose(sound, whole.samples, atol=1e-5)
    options = GenerationOptions(max_seconds=2)
    early = list(talker.stream(None, "hello there", speaker="anna", options=options))
    assert len(early) > 1 and early[0].seconds < 0.5


def test_several_references_on_the_command_line(talker_folder: Path, tmp_path: Path) -> None:
    for name, pitch in (("a", 150.0), ("b", 260.0)):
        save_audio(tmp_path / f"{name}.wav", voice(pitch, 3.5))
    a, b = str(tmp_path / "a.wav"), str(tmp_path / "b.wav")
    sounds = {}
    for name, given in {"one": [a], "both": [a, b], "turned": [b, a]}.items():
        path = tmp_path / f"{name}.wav"
        assert speak(talker_folder, path, "--reference-audio", *given) == 0
        sounds[name] = load_audio(path)
    assert not np.array_equal(sounds["one"], sounds["both"])
    np.testing.assert_allclose(sounds["both"], sounds["turned"], atol=2 / 32767)


def test_a_prompt_with_its_text_is_what_stage_1_goes_on_from(
    talker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`grouped`, as imported base weights have it: texts together, then the prompt's tokens."""
    save_audio(tmp_path / "p.wav", voice(200, 3.2))
    talker = TalkerClass.load(talker_folder)
    talker.layout = LayoutConfig(order="grouped")
    seen = []
    session = talker.session

    def spy(**given: object):  # type: ignore[no-untyped-def]
        seen.append(session(**given))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(talker, "session", spy)
    monkeypatch.setattr(cli, "load_talker", lambda args, lexicon=None: talker)
    flags = ["--reference-audio", str(tmp_path / "p.wav"), "--reference-text", "What I say here."]
    assert speak(talker_folder, tmp_path / "x.wav", *flags) == 0
    prompt = seen[0].context.turns[0]
    assert len(prompt.codes) == 80 and len(seen[0].context.turns) == 2
    ids = talker.frontend("Good morning, my friend.", "auto").ids
    again = talker.session()
    again.context.add(prompt)
    columns = again.context.prefix(ids)
    texts = int(columns.is_text.sum())
    assert columns.is_text[:texts].all() and not columns.is_text[texts:].any()
    assert texts == len(prompt.phonemes) + len(ids) and len(columns) - texts == 80


@pytest.mark.parametrize("seconds", [2.9, 10.2, 12.0])
def test_a_prompt_of_a_wrong_length_is_refused(
    talker_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    save_audio(tmp_path / "p.wav", voice(200, seconds))
    flags = ["--reference-audio", str(tmp_path / "p.wav"), "--reference-text", "Hello."]
    assert speak(talker_folder, tmp_path / "x.wav", *flags) == 2
    assert "p.wav" in caplog.text and not (tmp_path / "x.wav").exists()


def test_a_prompt_text_without_sound_is_refused(
    talker_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert speak(talker_folder, tmp_path / "x.wav", "--reference-text", "Hello.") == 2
    assert "needs one --reference-audio" in caplog.text


def test_an_adapter_is_heard(talker_folder: Path, tmp_path: Path) -> None:
    s2 = Talker.load(talker_folder).s2
    torch.manual_seed(0)
    weight = s2.prior_encoder.proj.weight
    tensors = {
        "prior_encoder.proj.lora_A": torch.randn(2, weight.shape[1], 1),
        "prior_encoder.proj.lora_B": torch.randn(weight.shape[0], 2),
    }
    header = AdapterHeader(kind="s2", name="low", scale=1.0, base=fingerprint(s2.state_dict()))
    save_adapter(tmp_path / "low" / "s2.safetensors", Adapter(header, tensors))
    assert speak(talker_folder, tmp_path / "plain.wav") == 0
    assert speak(talker_folder, tmp_path / "low.wav", "--adapter", str(tmp_path / "low")) == 0
    plain, low = load_audio(tmp_path / "plain.wav"), load_audio(tmp_path / "low.wav")
    assert len(plain) == len(low) and not np.array_equal(plain, low)
    assert speak(talker_folder, tmp_path / "x.wav", "--adapter", str(tmp_path / "none")) == 2
