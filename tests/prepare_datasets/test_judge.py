"""Recordings are measured before they are used; each threshold from both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.audio.quality import (
    channel_correlation,
    clipped_share,
    read_recording,
    rms_db,
    shorten_silences,
)
from GPT_SoVITS.text import TextConfig
from prepare_datasets.judge import Judge, Refused
from prepare_datasets.limits import AudioLimits, TextLimits
from prepare_datasets.step2_text import phonemes
from tests.prepare_datasets.sounds import RATE, voice

WHERE = {"id": "t/1/1", "path": "a.wav", "stage": "step3_speech"}


def hear(path: Path, *, n_phonemes: int = 12, **limits) -> tuple[np.ndarray, list[str]]:
    """Samples and the codes of the notices."""
    judge = Judge(AudioLimits(**limits), WHERE)
    samples = judge.hear([(path, 0.0, None)], n_phonemes)
    return samples, [entry.code for entry in judge.notices]


def refused(path: Path, *, n_phonemes: int = 12, **limits) -> str:
    """The code of the refusal."""
    with pytest.raises(Refused) as error:
        hear(path, n_phonemes=n_phonemes, **limits)
    return error.value.entry.code


def write(path: Path, samples: np.ndarray, *, rate: int = RATE, **options) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_is_heard_is_what_load_audio_reads(tmp_path: Path, subtype: str, channels: int):
    gains = np.linspace(1.0, 0.3, channels)
    path = write(tmp_path / "a.wav", voice(1)[:, None] * gains, subtype=subtype)
    samples, notices = hear(path)
    np.testing.assert_array_equal(samples, load_audio(path))
    assert not notices


def test_downmix_is_the_mean_of_the_channels_exactly(tmp_path: Path):
    pcm = np.array([[3, 5], [-7, 1], [32767, 1]], np.int16)
    path = write(tmp_path / "a.wav", np.repeat(pcm, 5000, axis=0), rate=32000)
    samples, _ = hear(path, n_phonemes=2)
    expected = pcm.astype(np.float32).mean(axis=1) / 32768
    np.testing.assert_array_equal(samples, np.repeat(expected, 5000))


@pytest.mark.parametrize(
    "n_phonemes, limits, code",
    [
        (12, {"min_seconds": 0.91}, "too_short"),
        (12, {"max_seconds": 0.89}, "too_long"),
        (2, {"min_phonemes_per_second": 2.3}, "phoneme_rate"),
        (12, {"max_phonemes_per_second": 13.0}, "phoneme_rate"),
        (12, {"min_peak": 0.51}, "silent"),
        (12, {"min_rms_db": -6.0}, "silent"),
        (12, {"min_sample_rate": RATE + 1}, "low_bandwidth"),
    ],
)
def test_thresholds_come_from_the_config(tmp_path: Path, n_phonemes: int, limits: dict, code: str):
    path = write(tmp_path / "a.wav", voice(1))
    hear(path)
    assert refused(path, n_phonemes=n_phonemes, **limits) == code


RATES = {"min_phonemes_per_second": 3.0, "max_phonemes_per_second": 25.0}
BORDERS = [  # 4 s: so many phonemes a second, and what the published filter does with it
    (11, RATES, "phoneme_rate"),
    (12, RATES, None),
    (100, RATES, None),
    (101, RATES, "phoneme_rate"),
    (60, {"max_seconds": 4.0}, None),
    (60, {"max_seconds": 3.9999}, "too_long"),
    (60, {"min_seconds": 4.0}, None),
    (60, {"min_seconds": 4.0001}, "too_short"),
]


@pytest.mark.parametrize(("n_phonemes", "limits", "code"), BORDERS)
def test_limits_hold_at_their_borders(
    tmp_path: Path, n_phonemes: int, limits: dict, code: str | None
):
    path = write(tmp_path / "a.wav", voice(1, 4.0))
    if code is None:
        hear(path, n_phonemes=n_phonemes, **limits)
    else:
        assert refused(path, n_phonemes=n_phonemes, **limits) == code


@pytest.mark.parametrize(("count", "code"), [(540, None), (541, "too_many_phonemes")])
def test_540_phonemes_are_a_turn_541_are_not(count: int, code: str | None):
    turn = {"id": "t/1/1", "audio": "a.wav", "text": "x", "language": "en", "role": None}
    for imported in (None, ["AH0"] * count):
        said = {"phonemes": imported, "text": " ".join(["a"] * (count - 1)) + "."}
        outcome = phonemes(TextConfig(), TextLimits(), turn | said)
        if code is None:
            assert len(outcome.records[0]["ids"]) == count
        else:
            (entry,) = outcome.entries
            assert (entry.code, entry.value, entry.limit) == (code, count, 540)


def test_a_flac_called_wav_is_read_and_noticed(tmp_path: Path):
    path = write(tmp_path / "a.wav", voice(1), format="FLAC")
    samples, notices = hear(path)
    assert len(samples) and notices == ["wrong_container"]


def test_a_header_that_lies_is_truncated_one_that_does_not_know_is_fine(tmp_path: Path):
    data = write(tmp_path / "a.wav", voice(1)).read_bytes()
    (tmp_path / "half.wav").write_bytes(data[: len(data) // 2])
    assert refused(tmp_path / "half.wav") == "truncated"
    streamed = data[:40] + b"\xff\xff\xff\xff" + data[44:]
    (tmp_path / "streamed.wav").write_bytes(streamed)
    hear(tmp_path / "streamed.wav")


def test_a_header_of_four_gigabytes_costs_no_memory(tmp_path: Path):
    path = write(tmp_path / "a.wav", voice(1, 3.0))
    recording = read_recording(path, max_seconds=0.5)
    assert len(recording.samples) <= 0.5 * RATE + 2 * (1 << 16)


def test_channels_that_cancel_each_other():
    left = voice(1)
    for right, expected in ((left, 1.0), (-left, -1.0), (0.3 * left, 1.0), (0 * left, 1.0)):
        assert channel_correlation(np.stack([left, right], 1)) == pytest.approx(expected)


def test_clipping_is_flat_tops_not_loudness():
    loud = voice(1) / np.abs(voice(1)).max()
    assert clipped_share(loud) == 0
    assert clipped_share(np.clip(6 * loud, -1, 1)) > 0.1
    assert clipped_share(0.5 * np.clip(6 * loud, -1, 1)) == 0  # below full scale: a square sound
    assert rms_db(np.zeros(5)) == float("-inf") and rms_db(np.ones(5)) == 0


def test_long_silences_are_shortened_short_ones_stay(tmp_path: Path):
    sound, rest = voice(1, 0.5), np.zeros(RATE)
    samples = np.concatenate([sound, rest, sound, rest[: RATE // 10], sound])
    shorter = shorten_silences(samples, sample_rate=RATE, keep_seconds=0.3, top_db=20)
    assert len(samples) - len(shorter) == pytest.approx(0.7 * RATE, abs=0.05 * RATE)
    path = write(tmp_path / "a.wav", samples)
    whole, _ = hear(path)
    cut, _ = hear(path, shorten_silences=True, silence_seconds=0.3)
    assert len(whole) - len(cut) == pytest.approx(0.7 * 32000, abs=0.05 * 32000)


@pytest.mark.parametrize("values", [{"min_seconds": 0}, {"max_phonemes_per_second": 1.0}])
def test_limits_that_make_no_sense_are_refused(values: dict):
    with pytest.raises(ValueError, match="audio: 0 <"):
        AudioLimits(**values)
