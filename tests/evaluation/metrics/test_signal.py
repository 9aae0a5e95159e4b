"""Signal metrics: known answers on synthetic sound, agreement with librosa, scipy and WORLD."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.stats

from GPT_SoVITS.evaluation.metrics.loudness import (
    frame_levels,
    high_band_db,
    pauses,
    timing_errors,
)
from GPT_SoVITS.evaluation.metrics.pitch import (
    compare_tracks,
    f0_track,
    pitch_distance,
    pitch_errors,
)
from GPT_SoVITS.evaluation.metrics.speaker import similarity, timbre_statistics
from GPT_SoVITS.evaluation.metrics.spectrum import (
    DB,
    distortion,
    mel_cepstra,
    mel_cepstral_distortion,
)
from GPT_SoVITS.evaluation.metrics.style import StyleClasses, describe
from GPT_SoVITS.evaluation.metrics.warping import distances, warping_path

RATE = 16000


def voice(f0: float | np.ndarray, seconds: float = 1.0, *, seed: int = 0) -> np.ndarray:
    """A buzz with formants: harmonics of f0 whose strength follows two resonances."""
    n = int(seconds * RATE)
    track = np.broadcast_to(np.asarray(f0, np.float64), (n,))
    phase = 2 * np.pi * np.cumsum(track) / RATE
    wave = np.zeros(n)
    for k in range(1, 30):
        hz = k * track
        strength = np.exp(-(((hz - 600) / 250) ** 2)) + 0.5 * np.exp(-(((hz - 1700) / 300) ** 2))
        wave += (strength + 0.02) * np.sin(k * phase) * (hz < RATE / 2)
    noise = np.random.default_rng(seed).normal(size=n)
    return (0.1 * wave + 0.003 * noise).astype(np.float32)


def test_warping_equals_librosa():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(37, 5)), rng.normal(size=(51, 5))
    cost = distances(x, y)
    assert cost == pytest.approx(np.linalg.norm(x[:, None] - y[None], axis=-1), abs=1e-9)
    total, path = librosa.sequence.dtw(C=cost)
    own = warping_path(cost)
    assert cost[own[:, 0], own[:, 1]].sum() == pytest.approx(total[-1, -1], rel=1e-12)
    assert own[0].tolist() == [0, 0] and own[-1].tolist() == [36, 50]
    assert len(own) == len(path)


def test_cepstra_equal_librosa_mfcc():
    wave = voice(150)
    # librosa's mfcc of a given log spectrum is the same DCT; the log is ours.
    bands = librosa.feature.melspectrogram(
        y=wave, sr=RATE, n_fft=512, hop_length=160, win_length=400, n_mels=40, power=1.0
    )
    other = librosa.feature.mfcc(S=np.log(np.maximum(bands, 1e-5)), n_mfcc=14)[1:].T
    assert mel_cepstra(wave, sample_rate=RATE) == pytest.approx(other, abs=1e-5)


def test_distortion_has_its_known_values():
    frames = np.random.default_rng(1).normal(size=(20, 13))
    assert distortion(frames, frames) == 0.0
    moved = frames.copy()
    moved[:, 4] += 1e-3  # small: the path stays on the diagonal
    assert distortion(frames, moved) == pytest.approx(DB * 1e-3, rel=1e-6)
    assert DB == pytest.approx(6.14185, abs=1e-5)


def test_distortion_ignores_loudness_and_stretching_but_not_the_vowel():
    wave = voice(150)
    slow = librosa.effects.time_stretch(wave, rate=0.8)
    louder = mel_cepstral_distortion(wave, 0.5 * wave, sample_rate=RATE)
    stretched = mel_cepstral_distortion(wave, slow, sample_rate=RATE)
    other = mel_cepstral_distortion(wave, librosa.effects.preemphasis(wave), sample_rate=RATE)
    assert louder < 1.0 and stretched < other


def test_pitch_of_a_known_tone_and_of_its_octave():
    errors = pitch_errors(voice(120), voice(120 * 2 ** (3 / 12)), sample_rate=RATE)
    assert errors.log_f0_rmse == pytest.approx(3.0, abs=0.15)
    assert errors.mean_difference == pytest.approx(3.0, abs=0.15)
    assert errors.gross_error == pytest.approx(0.0, abs=0.02)  # 3 semitones are 19 %
    octave = pitch_errors(voice(120), voice(240), sample_rate=RATE)
    assert octave.gross_error > 0.95


def test_track_errors_by_hand_and_correlation_equals_scipy():
    reference = np.array([100.0, 100, 0, 200, 0, 150])
    found = np.array([100.0, 130, 110, 0, 0, 150])
    errors = compare_tracks(reference, found)
    assert errors.voicing_error == pytest.approx(2 / 6)
    assert errors.gross_error == pytest.approx(1 / 3)
    assert errors.frame_error == pytest.approx(3 / 6)
    rng = np.random.default_rng(2)
    a = 200 * 2 ** rng.normal(0, 0.2, 50)
    b = a * 2 ** rng.normal(0, 0.1, 50)
    expected = scipy.stats.pearsonr(np.log2(a), np.log2(b)).statistic
    assert compare_tracks(a, b).log_f0_correlation == pytest.approx(expected, abs=1e-12)


def test_unvoiced_speech_has_no_pitch_error_rather_than_zero():
    errors = compare_tracks(np.zeros(5), np.array([100.0, 0, 0, 0, 0]))
    assert np.isnan(errors.log_f0_rmse) and errors.voicing_error == pytest.approx(0.2)


def test_f0_agrees_with_world_and_with_yin():
    sweep = np.linspace(110, 220, RATE)
    wave = voice(sweep)
    own = f0_track(wave, sample_rate=RATE)
    truth = sweep[np.minimum(np.arange(len(own)) * 160 + 80, RATE - 1)]
    yin = librosa.yin(wave, fmin=60, fmax=500, sr=RATE, frame_length=1024, hop_length=160)
    inner = slice(10, len(own) - 10)
    assert np.abs(12 * np.log2(own[inner] / truth[inner])).max() < 0.3
    assert np.abs(12 * np.log2(own[inner] / yin[: len(own)][inner])).mean() < 0.3
    world = pytest.importorskip("pyworld", reason="WORLD is compiled on install: not required")
    harvest, _ = world.harvest(wave.astype(np.float64), RATE, f0_floor=60, frame_period=10.0)
    voiced = (own > 0) & (harvest[: len(own)] > 0)
    voiced[:10] = voiced[-10:] = False
    gap = 12 * np.log2(own[voiced] / harvest[: len(own)][voiced])
    assert voiced.mean() > 0.7 and np.abs(gap).mean() < 0.3


def test_pitch_distance_sees_height_and_shape_apart():
    up = np.linspace(100, 200, 80)
    same_shape = pitch_distance(up, 1.5 * up)
    assert same_shape.normalised == pytest.approx(0.0, abs=1e-6) and same_shape.semitones > 0.5
    assert pitch_distance(up, up).semitones == 0.0
    assert pitch_distance(up, up[::-1]).normalised > 0.5
    assert np.isnan(pitch_distance(up, np.zeros(10)).semitones)


def test_levels_equal_librosa_rms_and_a_sine_has_minus_nine_db():
    wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    levels = frame_levels(wave, sample_rate=RATE)
    rms = librosa.feature.rms(y=wave, frame_length=400, hop_length=160, pad_mode="constant")[0]
    assert levels[2:-2] == pytest.approx(20 * np.log10(rms[: len(levels)][2:-2]), abs=0.01)
    assert levels[50] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)


def test_a_pause_of_known_length_is_found_and_timing_compared():
    part = voice(150, 0.5)
    silence = np.zeros(int(0.4 * RATE), np.float32)
    broken = np.concatenate([silence, part, silence, part, silence])
    seconds, gaps = pauses(frame_levels(broken, sample_rate=RATE))
    assert len(gaps) == 1 and gaps[0] == pytest.approx(0.4, abs=0.04)
    assert seconds == pytest.approx(1.4, abs=0.05)
    errors = timing_errors(np.concatenate([part, part]), broken, sample_rate=RATE)
    assert errors.pause_count_error == 1
    assert errors.pause_error == pytest.approx(0.4, abs=0.04)
    assert errors.duration_error == pytest.approx(0.4, abs=0.05)
    assert errors.energy_difference == pytest.approx(0.0, abs=0.5)


def test_energy_difference_is_in_decibels():
    wave = voice(150)
    errors = timing_errors(wave, 0.5 * wave, sample_rate=RATE)
    assert errors.energy_difference == pytest.approx(-6.02, abs=0.05)
    assert errors.energy_correlation == pytest.approx(1.0, abs=0.01)
    assert errors.duration_ratio == pytest.approx(1.0)


def test_style_classes_are_thirds_and_agree_with_themselves():
    styles = [
        describe(voice(f0, 0.4) * gain, sample_rate=RATE, n_phonemes=n)
        for f0, gain, n in zip(
            (90, 120, 160, 210, 260, 330), (0.1, 0.2, 0.4, 0.6, 0.8, 1), range(2, 8)
        )
    ]
    classes = StyleClasses.fit(styles)
    names = [classes.classify(style)["pitch_level"] for style in styles]
    assert names == ["low", "low", "middle", "middle", "high", "high"]
    assert classes.agreement(styles[0], styles[0])["all"] == 1.0
    assert classes.agreement(styles[0], styles[-1])["loudness"] == 0.0
    assert classes.classify(styles[0] | {"rate": float("nan")})["rate"] == "unknown"


def test_speaker_similarity_is_a_cosine_and_takes_any_embedding():
    wave = voice(150)
    assert similarity(wave, wave, sample_rate=RATE) == pytest.approx(1.0)
    other = librosa.effects.preemphasis(wave)
    assert similarity(wave, other, sample_rate=RATE) < 0.999
    assert len(timbre_statistics(wave, RATE)) == 26
    right_angle = iter([np.array([1.0, 0.0]), np.array([0.0, 2.0])])
    assert similarity(wave, wave, sample_rate=RATE, embedding=lambda s, r: next(right_angle)) == 0


def test_grain_above_8_khz_is_told_in_decibels():
    time = np.arange(32000) / 32000
    low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 10000 * time)
    assert high_band_db(low + 0.1 * high, sample_rate=32000) == pytest.approx(-20.043, abs=0.01)
    assert high_band_db(low + high, sample_rate=32000) == pytest.approx(-3.01, abs=0.01)
    assert np.isnan(high_band_db(low[::4], sample_rate=8000))
    assert np.isnan(high_band_db(np.zeros(3200), sample_rate=32000))
