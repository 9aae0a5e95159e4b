"""HuBERT content features from a local folder (chinese-hubert-base or one of its architecture).

    samples at 32 kHz -> gain -> 16 kHz -> last hidden state, (F, 768) at 50 Hz

F is one short of the spectrogram's frames (49 for one second): the convolutions take no padding.
A plain padded batch would change the group norm over time; `hubert_batch` keeps the padding out.
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
from GPT_SoVITS.features.hubert_batch import cut_by_length, padded, padded_forward
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
        batch_seconds: float | None = None,
    ) -> None:
        """`batch_seconds` of sound go through together, padding included; 0: one turn at a time.

        None is 0 on a CPU, where a batch gains nothing and a turn's numbers should not depend on
        its neighbours by as much as rounding, and 240 on a GPU.
        """
        if gain not in MIX:
            raise ValueError(f"hubert gain {gain!r} is not one of {', '.join(MIX)}")
        check_folder(folder, model_type="hubert", name="chinese-hubert-base")
        from transformers import HubertModel

        self._model: Any = load_complete(HubertModel, folder, may_miss=("masked_spec_embed",))
        self._model.requires_grad_(False)
        self.dim = int(self._model.config.hidden_size)
        self.gain, self.device = gain, torch.device(device)
        self.half = self.device.type == "cuda" if half is None else half
        if batch_seconds is None:
            batch_seconds = 0.0 if self.device.type == "cpu" else 240.0
        self.batch_samples = round(batch_seconds * HUBERT_RATE)
        self._model.to(self.device)
        self._halved: Any = None

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, dim) float32."""
        return self.extract_many([samples])[0]

    def extract_many(self, turns: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Turns of samples (T,) in order; the first that cannot be encoded is an error."""
        found = self.try_many(turns)
        for one in found:
            if isinstance(one, ValueError):
                raise one
        return [one for one in found if not isinstance(one, ValueError)]

    def try_many(self, turns: Sequence[np.ndarray]) -> list[np.ndarray | ValueError]:
        """Features (F, dim) of each turn in order, or the reason for none.

        Turns of like length share a pass of the network. What overflows in half precision is done
        again in fp32, turn by turn.
        """
        found: list[np.ndarray | ValueError] = []
        waves: dict[int, np.ndarray] = {}
        for place, samples in enumerate(turns):
            try:
                waves[place] = self.waveform(samples)
            except HubertError as error:
                found.append(error)
            else:
                found.append(np.zeros(0, np.float32))
        places = list(waves)
        lengths = [len(waves[place]) for place in places]
        for batch in cut_by_length(lengths, limit=self.batch_samples):
            together = [places[i] for i in batch]
            outputs = self._run([waves[place] for place in together], half=self.half)
            for place, features in zip(together, outputs, strict=True):
                try:
                    found[place] = self._finite(waves[place], features)
                except HubertError as error:
                    found[place] = error
        return found

    def _finite(self, wave: np.ndarray, features: np.ndarray) -> np.ndarray:
        if self.half and not np.isfinite(features).all():
            seconds = len(wave) / HUBERT_RATE
            log.warning("HuBERT overflowed in half precision on %.2f s; again in fp32", seconds)
            features = self._run([wave], half=False)[0]
        if not np.isfinite(features).all():
            raise HubertError("HuBERT features are not finite, in fp32 too; check the recording")
        return features

    def waveform(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> what the model hears: scaled, at 16 kHz.

        Raises `HubertError`.
        """
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

    def _run(self, waves: Sequence[np.ndarray], *, half: bool) -> list[np.ndarray]:
        """Waves (T,) at 16 kHz -> (F, dim) float32 each"""
        model = self._half_model() if half else self._model
        dtype = next(model.parameters()).dtype
        with torch.inference_mode():
            heard = [torch.from_numpy(wave).to(self.device, dtype) for wave in waves]
            if len(heard) == 1:
                hidden = model(heard[0][None]).last_hidden_state
            else:
                hidden = padded_forward(model, *padded(heard))
            states = hidden.float().cpu().numpy()
        frames = [self._frames(len(wave)) for wave in waves]
        return [state[:count].copy() for state, count in zip(states, frames, strict=True)]

    def _frames(self, samples: int) -> int:
        for layer in self._model.feature_extractor.conv_layers:
            samples = (samples - layer.conv.kernel_size[0]) // layer.conv.stride[0] + 1
        return samples

    def _half_model(self) -> Any:
        """A copy, so that the fp32 weights stay what the file says."""
        if self._halved is None:
            self._halved = copy.deepcopy(self._model).half()
        return self._halved
