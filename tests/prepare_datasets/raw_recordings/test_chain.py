"""A long recording of known dialogues becomes those dialogues again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.audio.io import AudioError
from prepare_datasets.raw_recordings import recording
from prepare_datasets.raw_recordings.chain import run
from prepare_datasets.raw_recordings.config import RawConfig
from prepare_datasets.raw_recordings.dialogues import (
    DialogueLimits,
    dialogues,
    first_speaker_is_zero,
)
from prepare_datasets.raw_recordings.enhancement import enhancement
from prepare_datasets.raw_recordings.extract import extract
from prepare_datasets.raw_recordings.scenes import SceneLimits, scenes
from prepare_datasets.raw_recordings.separation import no_separation, separation, voice_ratio_db
from prepare_datasets.raw_recordings.stages import RATE, Region, SpokenTurn
from prepare_datasets.raw_recordings.transcripts import Subtitles
from prepare_datasets.raw_recordings.turns import speaker_turns
from prepare_datasets.raw_recordings.voice_activity import EnergyActivity, voice_activity
from tests.prepare_datasets.raw_recordings.joined import join_demo, score
from tests.prepare_datasets.runs import prepare, report, tree
from tests.prepare_datasets.sounds import voice

SHORT = SceneLimits(min_speech=5.0)  # the demo's dialogues are shorter than a film's scenes


def test_joined_demo_turns_come_back_as_dialogues(tmp_path: Path):
    films, said = join_demo(tmp_path, dialogues=2, seed=100)
    result = run(RawConfig(str(films), str(tmp_path / "out"), scenes=SHORT))
    measured = score(said, tmp_path / "out")
    assert result.dialogues == 2
    assert measured.found >= 0.9 * measured.turns
    assert measured.in_order
    assert measured.right_speaker == measured.found
    # What it wrote is a corpus that the five steps read as it is.
    assert prepare(tmp_path / "out", tmp_path / "data", "--source.language", "auto") == 0
    assert report(tmp_path / "data")["kept"] == result.turns


def test_every_scene_is_cut_at_four_seconds_and_the_last_one_counts():
    speech = [Region(0, 9), Region(13, 20), Region(24.01, 33), Region(35, 42), Region(60, 75)]
    kept = scenes(speech, SceneLimits())
    assert kept == [speech[:2], speech[2:4]]  # 15 s exactly is not more than 15 s
    assert scenes([*speech[:4], Region(60, 75.01)], SceneLimits())[-1] == [Region(60, 75.01)]
    sparse = [Region(10 * n, 10 * n + 6.01) for n in range(5)]
    assert scenes(sparse, SceneLimits(min_share=0.7)) == []
    assert scenes(sparse, SceneLimits(min_share=0.3)) == [sparse]


def said(speakers: str) -> list[SpokenTurn]:
    return [SpokenTurn(Region(n, n + 0.9), s) for n, s in enumerate(speakers)]


@pytest.mark.parametrize(
    "speakers, expected",
    [
        ("ABAB", ["ABAB"]),
        ("ABA", []),
        ("ABAAA", []),
        ("ABABACCACA", ["ABABA", "CCACA"]),
        ("AAAA", []),
        ("", []),
    ],
)
def test_dialogues_are_two_speakers_with_enough_turns_each(speakers: str, expected: list[str]):
    found = dialogues(said(speakers), DialogueLimits())
    assert ["".join(turn.speaker for turn in one) for one in found] == expected


def test_a_long_silence_ends_a_dialogue():
    late = [SpokenTurn(Region(t.region.start + 10, t.region.stop + 10), "AB"[n % 2])
            for n, t in enumerate(said("ABAB"))]  # fmt: skip
    assert len(dialogues([*said("ABAB"), *late], DialogueLimits())) == 2
    assert first_speaker_is_zero(said("BABB")) == [0, 1, 0, 0]


@pytest.mark.parametrize("ratio, kept", [(3.99, 0), (4.01, 1)])
def test_noisy_scenes_are_left_out_at_four_decibels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, kept: int
):
    """A stand-in for a separator: its background is exactly so much weaker than the voices."""

    def stand_in(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return samples, samples * np.float32(10 ** (-ratio / 20))

    films, _ = join_demo(tmp_path, dialogues=1, seed=100)
    monkeypatch.setattr(recording, "separation", lambda engine, model: stand_in)
    result = run(RawConfig(str(films), str(tmp_path / "out"), scenes=SHORT))
    assert result.dialogues == kept
    codes = (tmp_path / "out" / "ledger.jsonl").read_text("utf-8")
    assert ("noisy_scene" in codes) == (not kept)


def test_no_separation_is_the_identity_and_silence_as_background_is_fine():
    samples = voice(1, rate=RATE).astype(np.float32)
    voices, background = no_separation(samples)
    assert voices is samples and voice_ratio_db(voices, background) == float("inf")
    assert voice_ratio_db(background, samples) == float("-inf")


def test_speech_is_found_in_silence_and_nothing_in_nothing():
    silence = np.zeros(RATE, np.float32)
    sound = np.concatenate([silence, voice(1, rate=RATE), silence, voice(2, rate=RATE), silence])
    found = EnergyActivity()(sound + 1e-4 * np.random.default_rng(0).normal(size=len(sound)))
    assert [(round(r.start), round(r.stop)) for r in found] == [(1, 2), (3, 4)]
    assert EnergyActivity()(np.zeros(0)) == []


def test_sound_of_a_film_is_extracted(tmp_path: Path):
    import subprocess

    import imageio_ffmpeg

    soundfile.write(tmp_path / "a.wav", voice(0, 3.0, rate=44100), 44100)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i"]
    command += ["color=size=64x64:duration=3", "-i", str(tmp_path / "a.wav"), "-c:a", "pcm_s16le"]
    subprocess.run([*command, str(tmp_path / "a.mkv")], check=True)
    assert abs(len(extract(tmp_path / "a.mkv")) - 48000) <= 1
    (tmp_path / "b.mkv").write_bytes(b"no film")
    with pytest.raises(AudioError, match="ffmpeg"):
        extract(tmp_path / "b.mkv")


def test_what_gives_nothing_is_in_the_ledger(tmp_path: Path):
    films = tmp_path / "films"
    films.mkdir()
    (films / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(films / "quiet.wav", np.zeros(RATE), RATE)
    result = run(RawConfig(str(films), str(tmp_path / "out")))
    lines = (tmp_path / "out" / "ledger.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["unreadable_audio", "no_scene"]
    assert result.dialogues == 0 and result.recordings == 2


def test_engines_need_a_local_model():
    for call in (
        lambda: voice_activity("silero", None),
        lambda: separation("demucs", None),
        lambda: enhancement("sepformer", None),
        lambda: speaker_turns("pyannote", None, 2),
    ):
        with pytest.raises(ValueError, match="local"):
            call()


def test_subtitles_belong_to_the_turn_that_holds_their_middle(tmp_path: Path):
    path = tmp_path / "a.srt"
    path.write_bytes(
        b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\nthere.\r\n\r\n"
        b"2\r\n00:00:02,100 --> 00:00:03,000\r\nHi.\r\n"
    )
    text = Subtitles(path)
    nothing = np.zeros(0)
    assert text(nothing, Region(0.9, 2.05)) == "Hello there."
    assert text(nothing, Region(2.05, 3.1)) == "Hi."
    assert text(nothing, Region(0.9, 3.1)) == "Hello there. Hi."


def films_of(folder: Path, count: int) -> Path:
    """So many films of one dialogue each, with subtitles."""
    for number in range(count):
        films, _ = join_demo(folder / str(number), dialogues=1, seed=100 + number)
        for path in films.iterdir():
            target = folder / "films" / f"film{number}{path.suffix}"
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
    return folder / "films"


def test_a_killed_run_goes_on_and_a_finished_one_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    films = films_of(tmp_path, 2)
    (films / "none.wav").write_bytes(b"RIFF")
    whole = RawConfig(str(films), str(tmp_path / "whole"), scenes=SHORT)
    result = run(whole)
    assert (result.recordings, result.computed, result.dialogues) == (3, 3, 2)
    assert run(whole) == dataclasses.replace(result, computed=0)

    killed = RawConfig(str(films), str(tmp_path / "killed"), scenes=SHORT)
    real, count = recording.write_json, []

    def interrupted(path: Path, value: object) -> None:
        count.append(path)
        if len(count) == 2:
            raise KeyboardInterrupt  # its sounds are there, its metadata is not
        real(path, value)

    monkeypatch.setattr(recording, "write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    monkeypatch.undo()
    stale = tmp_path / "killed" / "film1_0_0" / "99_1_dfilm1_0_0.wav"
    stale.write_bytes(b"of other thresholds")
    assert run(killed).computed == 2
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")

    by_hand = tmp_path / "whole" / "film0_0_0" / "0_0_dfilm0_0_0.lab"
    by_hand.write_text("Written by hand.", encoding="utf-8")
    (films / "film1.srt").write_bytes(b"")  # other subtitles: this film again, the other not
    assert run(whole).computed == 1
    assert by_hand.read_text("utf-8") == "Written by hand."
    (films / "film1.wav").unlink()
    assert run(whole).recordings == 2
    assert not (tmp_path / "whole" / "film1_0_0").exists()


def test_recordings_of_one_name_stay_apart(tmp_path: Path):
    films = films_of(tmp_path, 1)
    samples, rate = soundfile.read(films / "film0.wav")
    soundfile.write(films / "Film0.flac", samples, rate)
    result = run(RawConfig(str(films), str(tmp_path / "out"), scenes=SHORT))
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert result.dialogues == 2 and folders == ["Film0_flac_0_0", "film0_wav_0_0"]


def test_subtitles_nobody_can_read_are_in_the_ledger_and_the_rest_goes_on(tmp_path: Path):
    films = films_of(tmp_path, 2)
    text = (films / "film0.srt").read_text("utf-8").replace("?", "吗？")
    (films / "film0.srt").write_bytes(text.encode("gb18030"))
    (films / "film1.srt").write_bytes(b"\xff\xfe\x00\xd8\xff")
    result = run(RawConfig(str(films), str(tmp_path / "out"), scenes=SHORT))
    (line,) = (tmp_path / "out" / "ledger.jsonl").read_text("utf-8").splitlines()
    assert (json.loads(line)["code"], json.loads(line)["path"]) == ("wrong_encoding", "film1.wav")
    assert result.dialogues == 1
    said = [path.read_text("utf-8") for path in (tmp_path / "out").rglob("*.lab")]
    assert any("吗" in one for one in said)


def test_an_output_among_the_recordings_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="lies in raw"):
        RawConfig(str(tmp_path), str(tmp_path / "out"))


def test_an_enhancer_hears_the_voices_and_none_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    samples = voice(1, rate=RATE).astype(np.float32)
    assert enhancement("none", None)(samples) is samples
    films = films_of(tmp_path, 1)
    heard: list[int] = []

    def same(voices: np.ndarray) -> np.ndarray:
        heard.append(len(voices))
        return voices.copy()

    plain = RawConfig(str(films), str(tmp_path / "plain"), scenes=SHORT)
    run(plain)
    monkeypatch.setattr(recording, "enhancement", lambda engine, model: same)
    run(dataclasses.replace(plain, output=str(tmp_path / "enhanced")))
    assert len(heard) == 1
    sounds = [
        {name: digest for name, digest in tree(tmp_path / place).items() if name.endswith(".wav")}
        for place in ("plain", "enhanced")
    ]
    assert sounds[0] and sounds[0] == sounds[1]
