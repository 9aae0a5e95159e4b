"""Mel-cepstral distortion with time warping.

MCD = mean over the path of 10 / ln 10 * sqrt(2 * sum_d (c_d - c'_d)^2)  in dB  (Kubichek 1993)

Which cepstra decides the figure (on one corpus papers report 3 to 8 dB), so it is fixed and named:
16 kHz, frames of 25 ms every 10 ms, 40 mel bands to 8 kHz, orthonormal DCT-II of the natural log of
their **amplitudes**, orders 1..13, without c0 (loudness), path over the same coefficients. Compare
figures of this definition with each other only.
"""

from __future__ import annotations

import numpy as np

from GPT_SoVITS.evaluation.metrics.warping import align

RATE = 16000
N_FFT, HOP, WINDOW, BANDS, ORDER = 512, 160, 400, 40, 13
FLOOR = 1e-5
DB = 10.0 / np.log(10.0) * np.sqrt(2.0)


def resampled(samples: np.ndarray, sample_rate: int, rate: int = RATE) -> np.ndarray:
    """(T,) at `sample_rate` -> (T',) float32 at `rate`."""
    if sample_rate == rate:
        return np.asarray(samples, dtype=np.float32)
    import soxr

    values: np.ndarray = soxr.resample(
        np.asarray(samples, np.float32), sample_rate, rate, quality="HQ"
    )
    return values


def log_mel(samples: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """(T,) -> (F, 40) natural log of mel band amplitudes."""
    import librosa

    wave = resampled(samples, sample_rate)
    bands = librosa.feature.melspectrogram(
        y=wave, sr=RATE, n_fft=N_FFT, hop_length=HOP, win_length=WINDOW, n_mels=BANDS, power=1.0
    )
    values: np.ndarray = np.log(np.maximum(bands, FLOOR)).T
    return values


def mel_cepstra(samples: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """(T,) -> (F, 13): orders 1..13."""
    from scipy.fft import dct

    values: np.ndarray = dct(log_mel(samples, sample_rate=sample_rate), type=2, norm="ortho")[
        :, 1 : ORDER + 1
    ]
    return values


def distortion(cepstra: np.ndarray, others: np.ndarray) -> float:
    """MCD in dB between cepstra (N, D) and (M, D), warped."""
    path = align(cepstra, others)
    gap = cepstra[path[:, 0]] - others[path[:, 1]]
    return float(DB * np.sqrt((gap**2).sum(1)).mean())


def mel_cepstral_distortion(
    reference: np.ndarray, samples: np.ndarray, *, sample_rate: int
) -> float:
    """MCD in dB of two recordings (T,), (T',) of the same text; 0 for equal ones."""
    return distortion(
        mel_cepstra(reference, sample_rate=sample_rate),
        mel_cepstra(samples, sample_rate=sample_rate),
    )
