"""Recognisers: the embedded one hears, adapters speak to their engines, the phone net learns."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from GPT_SoVITS.dialogue.manifest import S1Record, S2Record, TurnRecord, write_records
from GPT_SoVITS.evaluation.asr import AsrConfig, AsrError, open_recognizer
from GPT_SoVITS.evaluation.asr.funasr import FunAsrRecognizer
from GPT_SoVITS.evaluation.asr.phone_symbols import plain_phones
from GPT_SoVITS.evaluation.asr.phones import PhoneNet, PhoneNetConfig, collapse
from GPT_SoVITS.evaluation.asr.pocket import arpa
from GPT_SoVITS.evaluation.asr.train_phones import main as train_phones
from GPT_SoVITS.evaluation.asr.whisper import FasterWhisperRecognizer
from GPT_SoVITS.evaluation.benchmark.corpus import is_held_out
from GPT_SoVITS.text.symbols import SymbolTable
from prepare_datasets.espeak import Prosody, synthesizer

RATE = 16000


def say(text: str) -> tuple[np.ndarray, int]:
    engine = synthesizer()
    voice = Prosody(pitch=50, range=50, rate=150, loudness=80)
    return engine.speak(text, "en-us+f2", voice), engine.sample_rate


def test_pocketsphinx_hears_english_with_a_domain_model():
    texts = ("the train leaves at nine", "i would like some tea", "we can walk there")
    ear = open_recognizer(AsrConfig(grammar="domain"), domain_texts=texts)
    samples, rate = say(texts[0])
    assert ear.transcribe(samples, sample_rate=rate, language="en").text == texts[0]
    assert "in a quiet room, domain of 3 texts" in ear.identity and ear.languages() == ("en",)
    with pytest.raises(AsrError, match="English only"):
        ear.transcribe(samples, sample_rate=rate, language="zh")
    with pytest.raises(AsrError, match="not finite"):
        ear.transcribe(np.full(100, np.nan, np.float32), sample_rate=rate, language="en")


def test_bigram_probabilities_sum_to_one():
    sentences = [["a", "b"], ["a", "c"], ["b", "a"]]
    lines = arpa(sentences).splitlines()
    one = [
        line.split()
        for line in lines[lines.index("\\1-grams:") + 1 : lines.index("\\2-grams:") - 1]
    ]
    unigram = {w: 10 ** float(p) for p, w, _ in one if w != "<s>"}
    assert sum(unigram.values()) == pytest.approx(1.0, abs=1e-3)
    backoff = {w: 10 ** float(b) for _, w, b in one}
    two = [
        line.split() for line in lines[lines.index("\\2-grams:") + 1 : lines.index("\\end\\") - 1]
    ]
    after = {second: 10 ** float(p) for p, first, second in two if first == "a"}
    rest = sum(p for word, p in unigram.items() if word not in after)
    assert sum(after.values()) + backoff["a"] * rest == pytest.approx(1.0, abs=1e-3)


def test_faster_whisper_and_funasr_are_asked_as_their_engines_want(tmp_path: Path):
    asked = {}

    class Whisper:
        def transcribe(self, wave, **options):
            asked.update(options, size=len(wave))
            return iter([SimpleNamespace(text=" Hello "), SimpleNamespace(text="there.")]), None

    ear = FasterWhisperRecognizer(
        AsrConfig(engine="faster-whisper", model=str(tmp_path)), model=Whisper()
    )
    heard = ear.transcribe(np.ones(32000, np.float32), sample_rate=32000, language="en")
    assert heard.text == "Hello there." and asked["language"] == "en" and asked["size"] == 16000
    assert asked["condition_on_previous_text"] is False

    fun = FunAsrRecognizer(
        AsrConfig(engine="funasr", model=str(tmp_path)),
        model=SimpleNamespace(generate=lambda input, fs: [{"text": "你好"}]),
    )
    assert fun.transcribe(np.ones(10, np.float32), sample_rate=RATE, language="zh").text == "你好"


@pytest.mark.parametrize("engine", ["faster-whisper", "funasr", "phones"])
def test_a_model_that_is_not_there_is_named_and_never_fetched(engine: str):
    with pytest.raises(AsrError, match="no/such/model"):
        open_recognizer(AsrConfig(engine=engine, model="no/such/model"))


def test_phones_lose_stress_tone_and_pauses():
    assert plain_phones(["AH0", "T", ".", "ang4", "_", "UNK", ","]) == ("AH", "T", "ang")
    assert collapse([0, 3, 3, 0, 3, 5, 5, 0]) == [3, 3, 5]


def test_padding_changes_no_probability():
    torch.manual_seed(0)
    net = PhoneNet(PhoneNetConfig(("a", "b"), hidden=8, channels=8)).eval()
    short, long = torch.randn(1, 21, 40), torch.randn(1, 40, 40)
    padded = torch.cat([torch.nn.functional.pad(short, (0, 0, 0, 19)), long])
    alone, n = net(short, torch.tensor([21]))
    together, _ = net(padded, torch.tensor([21, 40]))
    # The convolution sees zeros behind the end in both cases.
    assert torch.allclose(alone[0, : n[0]], together[0, : n[0]], atol=1e-5)


def test_the_phone_recogniser_learns_recordings_and_then_stays(tmp_path: Path, capsys):
    """Two 'phones' as two tones: learnt from the train split, judged on held-out sentences."""
    texts = [f"sentence {k}" for k in range(60)]
    names = SymbolTable("v2").names
    ids = (names.index("AA1"), names.index("S"))
    sequences = tmp_path / "5_sequences"
    for split, held in (("train", False), ("valid", True)):
        turns, sounds = [], []
        for text in [t for t in texts if is_held_out(t) == held][:12]:
            pattern = [(len(turns) + k) % 2 for k in range(3)]
            wave = np.concatenate([_phone(kind, len(turns)) for kind in pattern])
            name = f"{split}/{len(turns)}"
            (tmp_path / split).mkdir(exist_ok=True)
            soundfile.write(tmp_path / f"{name}.wav", wave, RATE)
            phonemes = tuple(ids[kind] for kind in pattern)
            turns.append(TurnRecord(name, len(turns), "a", "en", text, phonemes, (1, 2), 0.6))
            sounds.append(S2Record(name, split, 0, "a", "en", phonemes, (1, 2), f"{name}.wav", 30))
        write_records(sequences / f"s1_{split}.jsonl", [S1Record(split, tuple(turns), (0,))])
        write_records(sequences / f"s2_{split}.jsonl", sounds)
    (sequences / "meta.json").write_text(json.dumps({"symbols": "v2"}))
    out = tmp_path / "phones.safetensors"
    command = ["--data", str(tmp_path), "--output", str(out), "--steps", "120"]
    train_phones(command)
    first, content = json.loads(capsys.readouterr().out), out.read_bytes()
    assert first["held_out"]["all"] < 0.2
    assert first["facts"]["voices"] == ["a"] and first["identity"].startswith("phones ")
    train_phones(command)
    assert out.read_bytes() == content
    assert json.loads(capsys.readouterr().out)["identity"] == first["identity"]


def _phone(kind: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(int(0.2 * RATE)) / RATE
    hum = 0.3 * np.sin(2 * np.pi * 200 * t) + 0.2 * np.sin(2 * np.pi * 800 * t)
    hiss = 0.2 * rng.normal(size=len(t))
    silence = np.zeros(int(0.05 * RATE))
    return np.concatenate([silence, hiss if kind else hum, silence]).astype(np.float32)
