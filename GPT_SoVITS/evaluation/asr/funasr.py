"""FunASR (Paraformer and others) with a model folder of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from GPT_SoVITS.evaluation.asr.interface import (
    RATE,
    AsrConfig,
    AsrError,
    Transcript,
    check_samples,
    local_model,
)
from GPT_SoVITS.evaluation.metrics.spectrum import resampled


class FunAsrRecognizer:
    """Words; Mandarin with Paraformer-zh."""

    unit = "words"

    def __init__(
        self, config: AsrConfig, *, domain_texts: Sequence[str] = (), model: Any = None
    ) -> None:
        path = local_model(config, "a FunASR model folder (model.pt, config.yaml)")
        if model is None:
            try:
                from funasr import AutoModel
            except ImportError:
                raise AsrError("asr.engine funasr: pip install funasr") from None
            model = AutoModel(
                model=str(path), device=config.device, disable_update=True, disable_pbar=True
            )
        self._model, self.identity = model, f"funasr {path.name}"

    def languages(self) -> tuple[str, ...]:
        """What the model was trained on; it is not asked."""
        return ()

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        """(T,) -> words. Raises `AsrError`."""
        wave = resampled(check_samples(samples), sample_rate, RATE)
        found = self._model.generate(input=wave, fs=RATE)
        if not found or "text" not in found[0]:
            raise AsrError(f"{self.identity} returned no text field")
        return Transcript(str(found[0]["text"]))
