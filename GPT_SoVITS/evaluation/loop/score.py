"""Scores of one spoken item: what was heard, and how it sounds beside the recording."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.evaluation.asr import Recognizer
from GPT_SoVITS.evaluation.asr.phone_symbols import plain_phones
from GPT_SoVITS.evaluation.loop.items import EvalItem
from GPT_SoVITS.evaluation.loop.measures import MEASURES, Pair
from GPT_SoVITS.evaluation.metrics.speaker import Embedding
from GPT_SoVITS.evaluation.metrics.style import describe
from GPT_SoVITS.evaluation.metrics.words import ErrorCounts, character_errors, word_errors
from GPT_SoVITS.evaluation.metrics.words import count_errors as edits
from GPT_SoVITS.text import Frontend

Row = dict[str, Any]


class Scorer:
    """Hears and measures; holds the recognisers and the frontend."""

    def __init__(
        self, recognizers: Mapping[str, Recognizer], embedding: Embedding, *, frontend: Frontend
    ) -> None:
        self.recognizers, self.embedding, self.frontend = recognizers, embedding, frontend

    def score(self, item: EvalItem, audio: Path) -> Row:
        """Everything about one sound file; AudioError, AsrError and the like are the caller's."""
        samples = load_audio(audio)
        phones = plain_phones(self.frontend(item.text, item.language).phonemes)
        values: Row = {
            "seconds": len(samples) / SAMPLE_RATE,
            "style": describe(samples, sample_rate=SAMPLE_RATE, n_phonemes=len(phones)),
            "heard": {name: self._hear(name, item, samples, phones) for name in self.hearing(item)},
        }
        if item.recording is not None:
            values["against"] = self._against(item, samples)
        return values

    def hearing(self, item: EvalItem) -> list[str]:
        """Names of the recognisers that know the item's language."""
        return [
            name
            for name, one in self.recognizers.items()
            if not one.languages() or item.language in one.languages()
        ]

    def not_heard(self, item: EvalItem) -> Row:
        """What counts for an item without sound: everything deleted."""
        phones = plain_phones(self.frontend(item.text, item.language).phonemes)
        return {name: self._counts(name, item, "", (), phones) for name in self.hearing(item)}

    def _hear(self, name: str, item: EvalItem, samples: np.ndarray, phones: Sequence[str]) -> Row:
        found = self.recognizers[name].transcribe(
            samples, sample_rate=SAMPLE_RATE, language=item.language
        )
        return self._counts(name, item, found.text, found.phones, phones)

    def _counts(
        self,
        name: str,
        item: EvalItem,
        text: str,
        heard: Sequence[str] | None,
        phones: Sequence[str],
    ) -> Row:
        if self.recognizers[name].unit == "phones":
            return {"text": text, "phones": edits(phones, heard or ()).as_dict()}
        return {
            "text": text,
            "words": word_errors(item.text, text, item.language).as_dict(),
            "characters": character_errors(item.text, text, item.language).as_dict(),
        }

    def _against(self, item: EvalItem, samples: np.ndarray) -> Row:
        assert item.recording is not None
        truth = load_audio(item.recording)
        pair = Pair(truth, samples, SAMPLE_RATE, self.embedding)
        values = {name: float(v) for one in MEASURES for name, v in one.of(pair).items()}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}


def counts_of(values: Mapping[str, float]) -> ErrorCounts:
    """A ledger's counts as numbers again."""
    s, d, i, n = (int(values[k]) for k in ("S", "D", "I", "N"))
    return ErrorCounts(s, d, i, n)
