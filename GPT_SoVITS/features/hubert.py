"""HuBERT content features from a local folder (chinese-hubert-base or one of its architecture).

    samples at 32 kHz -> gain -> 16 kHz -> last hidden state, (F, 768) at 50 Hz

F is one short of the spectrogram's frames (49 for one second): the convolutions take no padding.
A padded batch would change the group norm over time, hence the features: only turns of one length
go through together.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.features.model_folder import check_folder, load_complete

log = logging.getLogger(__name__)

HUBERT_RATE = 16000
LEAST_SAMPLES = 400
"""At 16 kHz: one output frame of the convolutions (25 ms)."""
MAX_PEAK = 2.2
"""Published preparation drops louder files."""
MIX = {"plain": 0.0, "gpt_sovits": 1145.14, "gpt_talker": 32768.0}


class HubertError(ValueError):
    """A turn HuBERT cannot encode: too short, too loud, or not finite even in fp32."""


class HubertFeatures:
    """samples -> features; `gain` says how published code scaled the input (spec: features §2.1).

    `plain` is the samples in [-1, 1] as they are, as all published inference takes them. The other
    two mix in a peak-normalised copy, as the published preparations do; the first group norm takes
    most of the difference away.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        gain: str = "plain",
        device: str | torch.device = "cpu",
        half: bool | None = None,
    ) -> None:
        if gain not in MIX:
            raise ValueError(f"hubert gain {gain!r} is not one of {', '.join(MIX)}")
        check_folder(folder, model_type="hubert", name="chinese-hubert-base")
        from transformers import HubertModel

        self._model: Any = load_complete(HubertModel, folder, may_miss=("masked_spec_embed",))
        self._model.requires_grad_(False)
        self.dim = int(self._model.config.hidden_size)
        self.gain, self.device = gain, torch.device(device)
        self.half = self.device.type == "cuda" if half is None else half
        self._model.to(self.device)
        self._halved: Any = None

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, dim) float32."""
        return self.extract_many([samples])[0]

    def extract_many(self, turns: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turns of samples in order; turns of one length share a pass of the network.

        What overflows in half precision is done again in fp32, turn by turn.
        """
        waves = [self.waveform(samples) for samples in turns]
        groups: dict[int, list[int]] = {}
        for place, wave in enumerate(waves):
            groups.setdefault(len(wave), []).append(place)
        features: dict[int, np.ndarray] = {}
        for places in groups.values():
            together = self._run(np.stack([waves[i] for i in places]), half=self.half)
            features |= dict(zip(places, together))
        return [self._finite(waves[i], features[i]) for i in range(len(waves))]

    def _finite(self, wave: np.ndarray, features: np.ndarray) -> np.ndarray:
        if self.half and not np.isfinite(features).all():
            seconds = len(wave) / HUBERT_RATE
            log.warning("HuBERT overflowed in half precision on %.2f s; again in fp32", seconds)
            features = self._run(wave[None], half=False)[0]
        if not np.isfinite(features).all():
            raise HubertError("HuBERT features are not finite, in fp32 too; check the recording")
        return features

    def waveform(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> what the model hears: scaled, at 16 kHz."""
        samples = np.asarray(samples, dtype=np.float32)
        peak = float(np.abs(samples).max(initial=0.0))
        if not np.isfinite(peak) or peak == 0.0:
            raise HubertError(f"the turn is silent or not finite (peak {peak})")
        if self.gain != "plain":
            if self.gain == "gpt_sovits" and peak > MAX_PEAK:
                raise HubertError(f"peak {peak:.2f} is above {MAX_PEAK}")
            scale = 0.5 * MIX[self.gain]
            samples = samples / peak * (0.95 * scale) + scale * samples
        wave = np.asarray(soxr.resample(samples, SAMPLE_RATE, HUBERT_RATE, quality="HQ"))
        if len(wave) < LEAST_SAMPLES:
            raise HubertError(f"{len(wave) / HUBERT_RATE:.3f} s is too short, HuBERT needs 0.025 s")
        return wave

    def _run(self, waves: np.ndarray, *, half: bool) -> np.ndarray:
        """(B, T) at 16 kHz -> (B, F, dim) float32"""
        model = self._half_model() if half else self._model
        with torch.inference_mode():
            heard = torch.from_numpy(waves).to(self.device, next(model.parameters()).dtype)
            return model(heard).last_hidden_state.float().cpu().numpy()

    def _half_model(self) -> Any:
        """A copy, so that the fp32 weights stay what the file says."""
        if self._halved is None:
            self._halved = copy.deepcopy(self._model).half()
        return self._halved
