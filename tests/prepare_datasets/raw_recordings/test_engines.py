"""Every adapter, line by line, with stand-ins that take what the real engines take.

Silero: a TorchScript file of the same interface. The others: modules with the calls, arguments and
results of webrtcvad 2.0, demucs 4 (`get_model`, `apply_model`), pyannote.audio 3, faster-whisper 1,
FunASR 1 and SpeechBrain 1; a call in another form fails. What they hear is known, so what they
answer is too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from prepare_datasets.raw_recordings import transcripts
from prepare_datasets.raw_recordings.__main__ import main
from prepare_datasets.raw_recordings.enhancement import enhancement
from prepare_datasets.raw_recordings.separation import separation, voice_ratio_db
from prepare_datasets.raw_recordings.stages import RATE, Region
from prepare_datasets.raw_recordings.transcripts import nothing, transcriber
from prepare_datasets.raw_recordings.turns import speaker_turns
from prepare_datasets.raw_recordings.voice_activity import voice_activity
from tests.prepare_datasets.raw_recordings.joined import join_demo
from tests.prepare_datasets.sounds import voice


def install(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """A module under `name` (and the packages it lies in) with this content."""
    parts = name.split(".")
    for depth in range(1, len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[:depth]), ModuleType(parts[depth - 1]))
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def speech_and_silence() -> np.ndarray:
    """(T,) 1 s silence, 1 s voice, 1 s silence, 1.5 s voice, 0.5 s silence."""
    silence = np.zeros(RATE)
    long = voice(2, 1.5, rate=RATE)
    whole = [silence, voice(1, 1.0, rate=RATE), silence, long, silence[: RATE // 2]]
    return np.concatenate(whole).astype(np.float32)


def near(regions: list[Region], expected: list[tuple[float, float]]) -> bool:
    found = [(region.start, region.stop) for region in regions]
    return len(found) == len(expected) and bool(np.allclose(found, expected, atol=0.1))


SPOKEN = [(1.0, 2.0), (3.0, 4.5)]


def test_webrtc_hears_frames_of_10_ms(monkeypatch: pytest.MonkeyPatch):
    class Vad:
        def __init__(self, mode: int) -> None:
            assert mode in (0, 1, 2, 3)

        def is_speech(self, buf: bytes, sample_rate: int) -> bool:
            assert sample_rate == 16000 and len(buf) == 2 * 160
            return bool(np.abs(np.frombuffer(buf, "<i2")).max() > 300)

    install(monkeypatch, "webrtcvad", Vad=Vad)
    assert near(voice_activity("webrtc", None)(speech_and_silence()), SPOKEN)
    assert voice_activity("webrtc", None)(np.zeros(99, np.float32)) == []


class TinySilero(torch.nn.Module):
    """Chance of speech from the loudness of 512 samples; remembers the loudest, until reset."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("loudest", torch.zeros(()))

    @torch.jit.export
    def reset_states(self) -> None:
        self.loudest = torch.zeros(())

    def forward(self, x: torch.Tensor, sr: int) -> torch.Tensor:
        assert sr == 16000 and x.shape[-1] == 512
        self.loudest = torch.maximum(self.loudest, x.abs().max())
        return torch.sigmoid(400 * (x.abs().max() - 0.02))[None]


def test_silero_runs_a_local_torchscript_file_and_starts_each_recording_anew(tmp_path: Path):
    path = tmp_path / "silero_vad.jit"
    torch.jit.script(TinySilero()).save(str(path))
    hear = voice_activity("silero", str(path))
    first = hear(speech_and_silence())
    assert near(first, SPOKEN)
    assert hear(speech_and_silence()) == first
    with pytest.raises(ValueError, match="local file"):
        voice_activity("silero", None)


def demucs(monkeypatch: pytest.MonkeyPatch, *, voice_share: float) -> None:
    """Four sources at 44.1 kHz; the vocals are so much of the mix."""
    loaded = SimpleNamespace(sources=["drums", "bass", "other", "vocals"], samplerate=44100)

    def get_model(name: str, repo: Path | None = None) -> Any:
        assert name == "htdemucs" and repo is not None and repo.is_dir()
        return loaded

    def apply_model(model: Any, mix: torch.Tensor) -> torch.Tensor:
        assert model is loaded and mix.dim() == 3 and mix.shape[:2] == (1, 2)
        spread = 1.0 if mix.any() else 0.0
        assert abs(float(mix.mean())) < 1e-3 and abs(float(mix.std()) - spread) < 1e-2
        rest = (1 - voice_share) / 3
        shares = torch.tensor([rest, rest, rest, voice_share])
        return shares[None, :, None, None] * mix[:, None]  # (1, sources, 2, T)

    install(monkeypatch, "demucs.apply", apply_model=apply_model)
    monkeypatch.setitem(sys.modules, "demucs.pretrained", ModuleType("demucs.pretrained"))
    vars(sys.modules["demucs.pretrained"])["get_model"] = get_model


def test_demucs_gives_voices_and_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    demucs(monkeypatch, voice_share=0.75)
    samples = speech_and_silence()
    voices, background = separation("demucs", str(tmp_path))(samples)
    assert voices.shape == background.shape == samples.shape and voices.dtype == np.float32
    assert np.allclose(voices + background, samples, atol=1e-6)
    assert abs(voice_ratio_db(voices, background) - 20 * np.log10(3)) < 0.1
    quiet, rest = separation("demucs", str(tmp_path))(0 * samples)
    assert not quiet.any() and not rest.any()


def sepformer(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """SpeechBrain's separation, which here halves the sound and drops its last sample."""

    class SepformerSeparation:
        @classmethod
        def from_hparams(cls, source: str, savedir: str) -> SepformerSeparation:
            assert source == savedir and (Path(source) / "hyperparams.yaml").is_file()
            return cls()

        def separate_batch(self, mix: torch.Tensor) -> torch.Tensor:
            assert mix.ndim == 2 and mix.dtype == torch.float32
            return torch.stack([mix[:, :-1] / 2, mix[:, :-1]], dim=2)  # (batch, time, sources)

    install(
        monkeypatch, "speechbrain.inference.separation", SepformerSeparation=SepformerSeparation
    )
    (folder / "hyperparams.yaml").write_text("sample_rate: 16000\n", encoding="utf-8")


def test_sepformer_gives_the_first_source_at_the_same_length(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with pytest.raises(ValueError, match="not a folder of a SpeechBrain model"):
        enhancement("sepformer", str(tmp_path))
    sepformer(monkeypatch, tmp_path)
    samples = speech_and_silence()
    clean = enhancement("sepformer", str(tmp_path))(samples)
    assert clean.shape == samples.shape and clean.dtype == np.float32
    assert np.array_equal(clean[:-1], samples[:-1] / 2) and clean[-1] == 0


class Annotation:
    """What a pyannote pipeline returns."""

    def __init__(self, said: list[tuple[float, float, str]]) -> None:
        self._said = said

    def itertracks(self, yield_label: bool = False) -> Iterator[tuple[Any, str, str]]:
        assert yield_label
        for start, end, label in self._said:
            yield SimpleNamespace(start=start, end=end), "A", label


def pyannote(monkeypatch: pytest.MonkeyPatch, said: list[tuple[float, float, str]]) -> None:
    class Pipeline:
        @classmethod
        def from_pretrained(cls, checkpoint_path: str) -> Pipeline:
            assert Path(checkpoint_path).exists()
            return cls()

        def __call__(self, file: dict[str, Any]) -> Annotation:
            assert file["sample_rate"] == 16000 and file["waveform"].shape[0] == 1
            return Annotation(said)

    install(monkeypatch, "pyannote.audio", Pipeline=Pipeline)


def test_pyannote_finds_speech_and_speakers_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    said = [(3.0, 4.5, "SPEAKER_01"), (1.0, 1.4, "SPEAKER_00"), (1.6, 2.0, "SPEAKER_00")]
    pyannote(monkeypatch, said)
    find = speaker_turns("pyannote", str(tmp_path), 2)
    turns = find(speech_and_silence(), [])
    assert [(t.region.start, t.region.stop, t.speaker) for t in turns] == [
        (1.0, 2.0, "SPEAKER_00"),
        (3.0, 4.5, "SPEAKER_01"),
    ]


def whisper(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> list[float]:
    """Says one of `words` per call; the lengths it heard, in seconds."""
    heard: list[float] = []

    class WhisperModel:
        def __init__(self, model_size_or_path: str, local_files_only: bool = False) -> None:
            assert local_files_only and Path(model_size_or_path).is_dir()

        def transcribe(self, audio: np.ndarray, language: str | None = None) -> tuple[Any, Any]:
            assert audio.dtype == np.float32 and audio.ndim == 1
            heard.append(len(audio) / 16000)
            text = words[(len(heard) - 1) % len(words)]
            pieces = (SimpleNamespace(text=f" {part}") for part in text.split(","))
            return pieces, SimpleNamespace(language="en")

    install(monkeypatch, "faster_whisper", WhisperModel=WhisperModel)
    transcripts._whisper.cache_clear()  # of an earlier stand-in
    return heard


def test_whisper_hears_one_turn_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    heard = whisper(monkeypatch, ["Hello,there."])
    write = transcriber("whisper", str(tmp_path), tmp_path / "film.wav")
    assert write(speech_and_silence(), Region(3.0, 4.5)) == "Hello there."
    assert heard == [1.5]
    with pytest.raises(ValueError, match="local folder"):
        transcriber("whisper", None, tmp_path / "film.wav")


def test_funasr_answers_with_a_list_that_may_be_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    class AutoModel:
        def __init__(self, model: str, disable_update: bool = False) -> None:
            assert disable_update and Path(model).is_dir()

        def generate(self, input: np.ndarray, fs: int) -> list[dict[str, Any]]:
            assert fs == 16000
            return [{"key": "x", "text": "你好"}] if np.abs(input).max() > 0.1 else []

    install(monkeypatch, "funasr", AutoModel=AutoModel)
    write = transcriber("funasr", str(tmp_path), tmp_path / "film.wav")
    assert write(speech_and_silence(), Region(3.0, 4.5)) == "你好"
    assert write(speech_and_silence(), Region(0.0, 0.9)) == ""


def test_without_engine_or_subtitles_the_turns_are_left_to_be_written(tmp_path: Path):
    assert transcriber("subtitles", None, tmp_path / "film.wav") is nothing
    assert nothing(np.zeros(0), Region(0, 1)) == ""


@pytest.mark.parametrize("share, code", [(0.9, "no_transcript"), (0.55, "noisy_scene")])
def test_all_engines_together_through_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, share: float, code: str
):
    films, said = join_demo(tmp_path, dialogues=1, seed=100)
    torch.jit.script(TinySilero()).save(str(tmp_path / "silero.jit"))
    (tmp_path / "models").mkdir()
    demucs(monkeypatch, voice_share=share)
    pyannote(monkeypatch, [(s.start, s.stop, f"SPEAKER_{s.speaker}") for s in said])
    whisper(monkeypatch, ["Hello.", "", "Yes."])  # every third turn is not understood
    out = tmp_path / "out"
    command = ["--raw", str(films), "--output", str(out), "--scenes.min_speech", "5"]
    command += ["--voice_activity", "silero", "--separation", "demucs"]
    command += ["--voice_activity_model", str(tmp_path / "silero.jit")]
    command += ["--speaker_turns", "pyannote", "--transcripts", "whisper"]
    command += ["--enhancement", "sepformer"]
    sepformer(monkeypatch, tmp_path / "models")
    for stage in ("separation", "enhancement", "speaker_turns", "transcripts"):
        command += [f"--{stage}_model", str(tmp_path / "models")]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 3
    lines = (out / "ledger.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["code"] for line in lines} == {code}
    made = sorted(out.rglob("*.wav"))
    if code == "noisy_scene":
        assert not made
    else:
        assert len(made) == len(said) and len(lines) == (len(said) + 1) // 3
        assert soundfile.info(made[0]).samplerate == RATE


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    films, _ = join_demo(tmp_path, dialogues=1, seed=100)
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(SystemExit) as end:
        main(["--raw", str(films), "--output", str(tmp_path / "o"), "--voice_activity", "webrtc"])
    assert end.value.code == 2
