"""faster-whisper with a model folder of this machine (CTranslate2 format)."""

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


class FasterWhisperRecognizer:
    """Words of any language; greedy-like beam of 5, no conditioning on earlier text."""

    unit = "words"

    def __init__(
        self, config: AsrConfig, *, domain_texts: Sequence[str] = (), model: Any = None
    ) -> None:
        path = local_model(config, "a faster-whisper model folder (model.bin, config.json)")
        if model is None:
            try:
                from faster_whisper import WhisperModel
            except ImportError:
                raise AsrError("asr.engine faster-whisper: pip install faster-whisper") from None
            model = WhisperModel(str(path), device=config.device, local_files_only=True)
        self._model, self.identity = model, f"faster-whisper {path.name}"

    def languages(self) -> tuple[str, ...]:
        """Any."""
        return ()

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        """(T,) -> words."""
        wave = resampled(check_samples(samples), sample_rate, RATE)
        segments, _ = self._model.transcribe(
            wave,
            language=None if language == "auto" else language,
            beam_size=5,
            condition_on_previous_text=False,
        )
        return Transcript(" ".join(segment.text.strip() for segment in segments))
