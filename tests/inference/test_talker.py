"""The whole way with tiny real networks: folder -> talker -> commands -> sound."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS import Dialogue, Talker, Turn
from GPT_SoVITS.__main__ import main as commands
from GPT_SoVITS.audio.constants import SAMPLES_PER_TOKEN
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.inference.cli import main as inference
from GPT_SoVITS.inference.options import GenerationOptions

SHORT = GenerationOptions(max_seconds=1.0)


def dialogue_file(folder: Path, talker_folder: Path, **change: object) -> Path:
    audio = talker_folder.parent / "anna.wav"
    values = {
        "schema_version": 1,
        "turns": [
            {"speaker": "anna", "text": "Good morning.", "language": "en", "audio": str(audio)},
            {"speaker": "user", "text": "Can you help me?", "language": "en"},
        ],
        "response": {"speaker": "anna", "text": "Of course I can.", "language": "en"},
    }
    path = folder / "dialogue.json"
    path.write_text(json.dumps(values | change), encoding="utf-8")
    return path


def test_a_talker_speaks_and_repeats_itself_by_seed(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder, device="cpu")
    dialogue = Dialogue((Turn("user", "hello"),))
    one = talker.speak(dialogue, "good morning", speaker="anna", options=SHORT, seed=1)
    two = talker.speak(dialogue, "good morning", speaker="anna", options=SHORT, seed=1)
    assert len(one.samples) == len(one.codes) * SAMPLES_PER_TOKEN
    assert np.array_equal(one.samples, two.samples)
    assert one.samples.dtype == np.float32 and np.isfinite(one.samples).all()


def test_the_model_folder_decides_layout_and_tokens(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder)
    assert talker.layout.history_mode == "window" and talker.layout.history_turns == 2
    session = talker.session(agent="anna")
    turn = session.add(Turn("anna", "hello", audio=str(talker_folder.parent / "anna.wav")))
    assert len(turn.encoded.codes) == int(1.5 * 25)


def test_stream_gives_the_same_tokens_as_the_whole(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder)
    whole = talker.speak(None, "a longer answer to all", speaker="anna", options=SHORT)
    chunks = list(talker.stream(None, "a longer answer to all", speaker="anna", options=SHORT))
    assert tuple(code for chunk in chunks for code in chunk.codes) == whole.codes
    assert sum(len(chunk.samples) for chunk in chunks) == len(whole.samples)


def test_the_networks_hold_no_state_of_a_request(talker_folder: Path) -> None:
    talker = Talker.load(talker_folder)
    before = {name: value.clone() for name, value in talker.s1.state_dict().items()}
    names = set(vars(talker.s1)) | set(vars(talker.s2)) | set(vars(talker))
    talker.speak(None, "hello there", speaker="anna", options=SHORT)
    assert names == set(vars(talker.s1)) | set(vars(talker.s2)) | set(vars(talker))
    assert all(torch.equal(before[n], v) for n, v in talker.s1.state_dict().items())


def test_inference_command_writes_the_reply(talker_folder: Path, tmp_path: Path) -> None:
    command = ["--model", str(talker_folder), "--dialogue"]
    command += [str(dialogue_file(tmp_path, talker_folder)), "--max-seconds", "1"]
    outputs = [tmp_path / "out" / "a.wav", tmp_path / "out" / "b.wav"]
    for path in outputs:
        assert inference([*command, "--output", str(path), "--seed", "7", "--device", "cpu"]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert len(load_audio(outputs[0])) >= 11 * SAMPLES_PER_TOKEN


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surprise": 1}, "surprise"),
        ({"response": {"speaker": "anna", "text": "!!"}}, "!!"),
        ({"response": {"speaker": "nobody", "text": "hello"}}, "no voice for speaker 'nobody'"),
        ({"turns": [{"speaker": "u", "text": "x", "audio": "gone.wav"}]}, "gone.wav"),
        ({"reference_audio": "dialogue.json"}, "dialogue.json"),
    ],
)
def test_a_wrong_dialogue_ends_with_code_2_and_one_line(
    talker_folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, object],
    said: str,
) -> None:
    path = dialogue_file(tmp_path, talker_folder, **change)
    command = ["--model", str(talker_folder), "--dialogue", str(path), "--max-seconds", "1"]
    assert inference([*command, "--output", str(tmp_path / "a.wav")]) == 2
    assert said in caplog.text
    assert not (tmp_path / "a.wav").exists()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--output", "a.mp3"], ".wav or .flac"),
        (["--output", "a.wav", "--speed", "9"], "speed"),
        (["--output", "a.wav", "--device", "tpu"], "device"),
        (["--output", "a.wav", "--model", "nowhere"], "nowhere"),
    ],
)
def test_wrong_options_end_with_code_2(
    talker_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    extra: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = dialogue_file(tmp_path, talker_folder)
    assert inference(["--model", str(talker_folder), "--dialogue", str(path), *extra]) == 2
    assert said in caplog.text


def test_speak_command_and_its_phonemes(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands(["speak", "--text", "Hello", "--show-phonemes"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["phonemes"][0] == "HH" and shown["language"] == "en"
    out = tmp_path / "x.flac"
    command = ["speak", "--model", str(talker_folder), "--text", "你好", "--max-seconds", "1"]
    command += ["--reference-audio", str(talker_folder.parent / "anna.wav")]
    assert commands([*command, "--output", str(out)]) == 0
    assert len(load_audio(out)) > 0


def test_doctor_reports_the_model_or_why_not(
    talker_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands(["doctor", "--model", str(talker_folder)]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["symbols"] == "v2"
    assert commands(["doctor", "--model", str(tmp_path / "none")]) == 1
    assert "no such talker" in json.loads(capsys.readouterr().out)["model"]["error"]
    assert commands(["nonsense"]) == 2


def test_a_changed_tokenizer_is_refused(talker_folder: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "talker"
    shutil.copytree(talker_folder, folder)
    tensors, header = read_safetensors(folder / "tokenizer.safetensors")
    tensors["quantizer.embed"][0, 0] += 1
    write_safetensors(folder / "tokenizer.safetensors", tensors, header=header)
    with pytest.raises(ValueError, match="changed"):
        Talker.load(folder)
