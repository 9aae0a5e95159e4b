"""`logmel` content features: band shape, pitch, voicing and energy at 50 Hz, without weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.constants import HOP_LENGTH, N_FFT, SAMPLE_RATE, WIN_LENGTH
from GPT_SoVITS.audio.pitch import interpolate_log_f0, track_pitch
from GPT_SoVITS.features.statistics import FeatureStatistics, SpeakerStatistics

FLOOR = 0.02
"""Added to STFT magnitudes before the log, about -85 dB of full scale: digital silence and a quiet
room look alike, and neither stretches the spread of the energy."""
VOICED_FROM, VOICED_AT = 0.3, 0.6
"""Harmonicity at which the pitch begins to count, and counts fully."""


@dataclass(frozen=True)
class LogmelConfig:
    """Groups of the feature vector and how much each weighs in the quantizer's distance.

    A weight is the root of the group's total variance, whatever its width. On 150 dialogues of the
    demo corpus (1024 codes, scores on held-out dialogues):

        pitch voicing energy   style of 4  phone of 70  F0 error     loudness R2
        1.2   0.5     0.7      0.99        0.38         0.9 st       0.89         (the defaults)
        1.0   1.0     1.0      0.99        0.35         1.0 st       0.93
        2.5   1.0     2.0      0.94        0.30         0.7 st       0.96
    """

    kind: str = "logmel"
    """The name of these features."""
    n_mels: int = 24
    """Bands of the spectral group, 0 to `f_max` Hz."""
    f_max: float = 8000.0
    """Hz; upper end of the highest band."""
    spectral_weight: float = 1.0
    """Of the bands together."""
    pitch_weight: float = 1.2
    """Of log F0."""
    voicing_weight: float = 0.5
    """Of the share of voicing."""
    energy_weight: float = 0.7
    """Of the level."""
    f0_min: float = 60.0
    """Hz; lowest pitch looked for."""
    f0_max: float = 500.0
    """Hz; highest pitch looked for."""
    spectral_pseudo_seconds: float = 3.0
    """Seconds of corpus prior before the speaker's own spectral mean counts half."""
    style_pseudo_seconds: float = 60.0
    """The same for pitch and energy: long, so that style is not normalised away."""

    def __post_init__(self) -> None:
        if self.kind != "logmel":
            raise ValueError(f"feature kind {self.kind!r} is not logmel")
        if self.n_mels < 4 or not 0 < self.f0_min < self.f0_max:
            raise ValueError("logmel: n_mels must be 4 or more and 0 < f0_min < f0_max")
        if min(self.spectral_pseudo_seconds, self.style_pseudo_seconds) <= 0:
            raise ValueError("logmel: pseudo seconds must be above 0")

    @property
    def dim(self) -> int:
        """Width of a frame: bands, pitch, voicing, energy."""
        return self.n_mels + 3

    def to_json(self) -> dict[str, Any]:
        """Plain values, for headers."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LogmelConfig:
        """Read back; unknown keys are an error."""
        unknown = sorted(set(values) - {f.name for f in fields(cls)})
        if unknown:
            raise ValueError(f"logmel config: unknown keys {unknown}")
        return cls(**values)


class LogmelFeatures:
    """Raw features of a waveform, and their normalised, weighted form."""

    def __init__(self, config: LogmelConfig) -> None:
        self.config = config
        self.dim = config.dim
        self._window = torch.hann_window(WIN_LENGTH)
        self._bank = mel_bank(config.n_mels, config.f_max)
        weights = np.full(config.dim, config.spectral_weight / np.sqrt(config.n_mels))
        weights[config.n_mels :] = (
            config.pitch_weight,
            config.voicing_weight,
            config.energy_weight,
        )
        self._weights = weights.astype(np.float32)
        self._pseudo = np.full(config.dim, config.style_pseudo_seconds, np.float32)
        self._pseudo[: config.n_mels] = config.spectral_pseudo_seconds

    def raw(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (T // 640, dim): bands, log2 F0, harmonicity, log energy."""
        n = len(samples) // HOP_LENGTH
        if n == 0:
            return np.zeros((0, self.dim), np.float32)
        pad = (N_FFT - HOP_LENGTH) // 2
        wave = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
        mode = "reflect" if len(samples) > pad else "constant"
        wave = torch.nn.functional.pad(wave[None], (pad, pad), mode=mode)[0]
        spectrum = torch.stft(
            wave, N_FFT, HOP_LENGTH, WIN_LENGTH, self._window, center=False, return_complex=True
        ).abs()[:, :n]  # (1025, F)
        bands = torch.log(self._bank @ spectrum + FLOOR).T.numpy()  # (F, n_mels)
        energy = torch.log(spectrum.square().mean(0).sqrt() + FLOOR).numpy()
        f0, harmonicity = track_pitch(
            samples,
            sample_rate=SAMPLE_RATE,
            hop_length=HOP_LENGTH,
            f0_min=self.config.f0_min,
            f0_max=self.config.f0_max,
        )
        middle = 0.5 * (np.log2(self.config.f0_min) + np.log2(self.config.f0_max))
        pitch = interpolate_log_f0(f0, default=float(middle))
        shape = bands - bands.mean(axis=1, keepdims=True)
        columns = [shape, pitch[:, None], harmonicity[:, None], energy[:, None]]
        return np.concatenate(columns, axis=1).astype(np.float32)

    def start_speaker(self, prior: FeatureStatistics) -> SpeakerStatistics:
        """Statistics of a speaker not heard yet."""
        return SpeakerStatistics(prior, self._pseudo)

    def finish(self, raw: np.ndarray, speaker: SpeakerStatistics) -> np.ndarray:
        """(F, dim) raw -> normalised and weighted: what the quantizer sees.

        Pitch fades to 0, the mean, where the frame is not voiced: the interpolated line there is
        nothing that was heard, and would spend codes.
        """
        features = speaker.normalise(raw) * self._weights
        harmonicity = raw[:, self.config.n_mels + 1]
        voiced = np.clip((harmonicity - VOICED_FROM) / (VOICED_AT - VOICED_FROM), 0.0, 1.0)
        features[:, self.config.n_mels] *= voiced
        return features


def mel_bank(n_mels: int, f_max: float) -> torch.Tensor:
    """Triangles (n_mels, 1025), equally spaced on the mel scale 1127 ln(1 + f / 700)."""
    edges = np.linspace(0, 1127 * np.log1p(f_max / 700), n_mels + 2)
    hz = 700 * np.expm1(edges / 1127)
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    rise = (bins - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    fall = (hz[2:, None] - bins) / (hz[2:] - hz[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rise, fall))
    return torch.from_numpy((bank / bank.sum(1, keepdims=True)).astype(np.float32))
