"""Energy, duration and pauses against a reference, as librosa and the papers count them; hiss."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from GPT_SoVITS.evaluation.metrics.spectrum import RATE, mel_cepstra, resampled
from GPT_SoVITS.evaluation.metrics.warping import align

FRAME, HOP = 400, 160
PAUSE_DB, PAUSE_SECONDS = 35.0, 0.15
HIGH_HZ = 8000


@dataclass(frozen=True)
class TimingErrors:
    """Energy along the path, and what differs in time."""

    energy_correlation: float
    """Pearson of frame levels (dB) along the path of the mel cepstra"""
    energy_difference: float
    """dB, generated minus reference, of the speech level"""
    duration_ratio: float
    """generated / reference, silence at the ends left out"""
    duration_error: float
    """s, absolute (JELLY's DDUR, as far as it is published)"""
    pause_error: float
    """s, absolute difference of time in pauses of 0.15 s or longer"""
    pause_count_error: int
    """absolute difference of their number"""

    def as_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def frame_levels(samples: np.ndarray, *, sample_rate: int) -> np.ndarray:
    """(T,) -> (F,) root mean square in dB of full scale, 25 ms every 10 ms, centred."""
    wave = resampled(samples, sample_rate).astype(np.float64)
    padded = np.pad(wave, (FRAME // 2, FRAME // 2))
    power = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(len(wave) // HOP + 1) * HOP
    values: np.ndarray = 10 * np.log10((power[starts + FRAME] - power[starts]) / FRAME + 1e-10)
    return values


def speech_level(levels: np.ndarray) -> float:
    """(T,) -> dB: power mean of the frames within 35 dB of the loudest."""
    loud = levels[levels > levels.max() - PAUSE_DB]
    return float(10 * np.log10((10 ** (loud / 10)).mean()))


def pauses(levels: np.ndarray) -> tuple[float, list[float]]:
    """Frame levels (F,) -> seconds from first to last speech, and its inner pauses in seconds.

    A frame is speech within 35 dB of the loudest; a pause is 0.15 s or more without one.
    """
    speech = np.flatnonzero(levels > levels.max() - PAUSE_DB)
    gaps = (np.diff(speech) - 1) * HOP / RATE
    total = (speech[-1] - speech[0] + 1) * HOP / RATE
    return float(total), [float(gap) for gap in gaps if gap >= PAUSE_SECONDS]


def high_band_db(samples: np.ndarray, *, sample_rate: int) -> float:
    """(T,) -> dB: power from 8 kHz up over all of it; NaN where the rate or the sound has none.

    A vocoder that grains (the known weak point of fine-tuned voices) stands above the recording.
    """
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    high = np.fft.rfftfreq(len(samples), 1 / sample_rate) >= HIGH_HZ
    if not power[high].sum() > 0:
        return float("nan")
    return float(10 * np.log10(power[high].sum() / power.sum()))


def timing_errors(reference: np.ndarray, samples: np.ndarray, *, sample_rate: int) -> TimingErrors:
    """Two recordings (T,), (T',) of the same text."""
    levels = [frame_levels(s, sample_rate=sample_rate) for s in (reference, samples)]
    path = align(
        mel_cepstra(reference, sample_rate=sample_rate),
        mel_cepstra(samples, sample_rate=sample_rate),
    )
    x, y = (track[np.minimum(path[:, side], len(track) - 1)] for side, track in enumerate(levels))
    (seconds, gaps), (spoken, heard) = pauses(levels[0]), pauses(levels[1])
    bent = x.std() > 0 and y.std() > 0
    return TimingErrors(
        energy_correlation=float(np.corrcoef(x, y)[0, 1]) if bent else float("nan"),
        energy_difference=speech_level(levels[1]) - speech_level(levels[0]),
        duration_ratio=spoken / seconds,
        duration_error=abs(spoken - seconds),
        pause_error=abs(sum(heard) - sum(gaps)),
        pause_count_error=abs(len(heard) - len(gaps)),
    )
