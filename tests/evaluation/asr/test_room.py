"""Recognisers hear an utterance in a quiet room, however digital its silence is."""

from __future__ import annotations

import numpy as np

from GPT_SoVITS.evaluation.asr.interface import RATE
from GPT_SoVITS.evaluation.asr.phones import normalised_frames
from GPT_SoVITS.evaluation.asr.room import PEAK, SILENCE, in_a_room


def spoken(floor: float = 0.0) -> np.ndarray:
    """Two tones around a pause of zeros, or of noise `floor` high."""
    t = np.arange(RATE // 4) / RATE
    tones = [0.3 * np.sin(2 * np.pi * f * t) for f in (300, 1200)]
    wave = np.concatenate([tones[0], np.zeros(RATE // 4), tones[1]])
    return (wave + floor * np.random.default_rng(1).normal(size=len(wave))).astype(np.float32)


def test_a_room_has_noise_before_between_and_after_the_words():
    wave = spoken()
    heard, side = in_a_room(wave), round(SILENCE * RATE)
    assert heard.dtype == np.float32 and len(heard) == len(wave) + 2 * side
    assert PEAK - 0.01 < np.abs(heard).max() <= 1
    pause = heard[side + RATE // 4 : side + RATE // 2]
    for quiet in (heard[:side], pause, heard[-side:]):
        assert -57 < 20 * np.log10(quiet.std()) < -53
    assert np.array_equal(heard, in_a_room(wave))


def test_loudness_does_not_matter_and_silence_stays_finite():
    assert np.allclose(in_a_room(spoken() * 0.01), in_a_room(spoken()), atol=1e-4)
    assert np.isfinite(in_a_room(np.zeros(RATE, np.float32))).all()


def test_features_hardly_tell_digital_silence_from_a_vocoders_floor():
    """Below the room's noise, what a vocoder leaves in its pauses is not heard."""
    clean, vocoded = (normalised_frames(spoken(f), sample_rate=RATE) for f in (0.0, 1e-4))
    assert np.abs(clean - vocoded).mean() < 0.05
