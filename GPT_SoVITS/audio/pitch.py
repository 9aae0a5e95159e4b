"""F0 by normalised autocorrelation, vectorised over frames (no numba, no model)."""

from __future__ import annotations

import numpy as np

FRAME_SECONDS = 0.048
BLOCK = 2048
OCTAVE_COST = 0.02
"""Preference per octave for the higher candidate: undoes the autocorrelation's sub-octave peaks."""


def track_pitch(
    samples: np.ndarray,
    *,
    sample_rate: int,
    hop_length: int,
    f0_min: float = 60.0,
    f0_max: float = 500.0,
    voiced_above: float = 0.45,
    silence_db: float = -50.0,
) -> tuple[np.ndarray, np.ndarray]:
    """samples (T,) -> f0 (F,) in Hz, 0 where unvoiced, and harmonicity (F,) in 0..1; F = T // hop.

    Frame t is centred on sample (t + 0.5) * hop. The autocorrelation of the windowed frame is
    divided by that of the window (Boersma 1993), so its peak measures harmonicity.

    Raises `ValueError`.
    """
    n_frames = len(samples) // hop_length
    if n_frames == 0:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    size = int(FRAME_SECONDS * sample_rate) // 2 * 2
    padded = np.pad(samples.astype(np.float64), (size, size))
    starts = np.arange(n_frames) * hop_length + hop_length // 2 + size // 2
    low, high = int(sample_rate / f0_max), min(int(sample_rate / f0_min) + 1, size // 2)
    if not 0 < low < high - 1:
        raise ValueError(
            f"no pitch between {f0_min} and {f0_max} Hz fits a {FRAME_SECONDS} s frame"
        )
    blocks = [
        _best_lag(padded[starts[i : i + BLOCK, None] + np.arange(size)], low, high)
        for i in range(0, n_frames, BLOCK)  # bounded memory for long turns
    ]
    lag, harmonicity, rms = (np.concatenate(part) for part in zip(*blocks))
    f0 = sample_rate / lag
    loud = 20 * np.log10(rms + 1e-9) > max(silence_db, 20 * np.log10(rms.max() + 1e-9) - 40)
    voiced = (harmonicity > voiced_above) & loud
    voiced = _median(voiced.astype(np.float64), 3) > 0.5
    f0 = np.where(voiced, _median_voiced(f0, voiced), 0.0)
    return f0.astype(np.float32), np.where(loud, harmonicity, 0.0).astype(np.float32)


def _best_lag(frames: np.ndarray, low: int, high: int) -> tuple[np.ndarray, ...]:
    """frames (F, size) -> lag in samples (F,), its harmonicity in 0..1 (F,), RMS (F,)."""
    size = frames.shape[1]
    frames = frames - frames.mean(axis=1, keepdims=True)
    window = np.hanning(size)
    n_fft = 1 << (2 * size - 1).bit_length()
    r = _autocorrelation(frames * window, n_fft)
    r_window = _autocorrelation(window[None], n_fft)[0]
    lags = np.arange(low, high + 1)
    ratio = r[:, low : high + 1] / (r[:, :1] + 1e-12) / (r_window[lags] / r_window[0])  # (F, lags)
    score = ratio - OCTAVE_COST * np.log2(lags / low)
    at = np.clip(score.argmax(axis=1), 1, len(lags) - 2)
    rows = np.arange(len(frames))
    before, here, after = (ratio[rows, at + d] for d in (-1, 0, 1))
    bend = before - 2 * here + after  # a parabola through three points: fractions of a sample
    flat = np.abs(bend) < 1e-9
    shift = np.where(flat, 0.0, 0.5 * (before - after) / np.where(flat, 1.0, bend))
    lag = lags[at] + np.clip(shift, -0.5, 0.5)
    return lag, np.clip(here, 0.0, 1.0), np.sqrt((frames**2).mean(axis=1))


def interpolate_log_f0(f0: np.ndarray, *, default: float) -> np.ndarray:
    """Hz (F,) -> log2 Hz (F,), straight over unvoiced stretches; `default` if nothing is voiced."""
    voiced = f0 > 0
    if not voiced.any():
        return np.full(len(f0), default, np.float32)
    at = np.flatnonzero(voiced)
    values: np.ndarray = np.interp(np.arange(len(f0)), at, np.log2(f0[at])).astype(np.float32)
    return values


def _autocorrelation(frames: np.ndarray, n_fft: int) -> np.ndarray:
    spectrum = np.fft.rfft(frames, n_fft)
    return np.fft.irfft(spectrum.real**2 + spectrum.imag**2, n_fft)


def _median(values: np.ndarray, width: int) -> np.ndarray:
    half = width // 2
    padded = np.pad(values, half, mode="edge")
    result: np.ndarray = np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1)
    return result


def _median_voiced(f0: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Median of five over voiced frames only: octave slips of one or two frames disappear."""
    at = np.flatnonzero(voiced)
    if not len(at):
        return f0
    smooth = f0.copy()
    smooth[at] = _median(f0[at], 5)
    return smooth
