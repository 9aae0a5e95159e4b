"""`TurnEncoder`: a turn's sound to its tokens, the same in preparation and in a session.

The state (what has been heard of each speaker in this dialogue) is a value: passed in and returned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from GPT_SoVITS.features.logmel import LogmelConfig, LogmelFeatures
from GPT_SoVITS.features.statistics import FeatureStatistics, SpeakerStatistics

Tokenize = Callable[[torch.Tensor], torch.Tensor]
"""features (1, D, F) -> codes (1, F // 2)."""


@dataclass(frozen=True)
class EncoderState:
    """Speakers heard so far in one dialogue."""

    speakers: Mapping[str, SpeakerStatistics] = field(default_factory=dict)


class FrameFeatures(Protocol):
    """A content feature without speaker statistics (HuBERT)."""

    dim: int

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, dim)."""
        ...

    def try_many(self, turns: Sequence[np.ndarray]) -> Sequence[np.ndarray | ValueError]:
        """The same of several turns (T,); the error of one leaves the others alone."""
        ...


class TurnEncoder:
    """Features of turns in dialogue order, and their codes once a tokenizer is given."""

    def __init__(
        self,
        feature: Mapping[str, Any] | LogmelConfig,
        statistics: FeatureStatistics | None = None,
        tokenizer: Tokenize | None = None,
        *,
        frames: FrameFeatures | None = None,
    ) -> None:
        self._frames = frames
        self.logmel: LogmelFeatures | None = None
        if frames is None:
            config = (
                feature if isinstance(feature, LogmelConfig) else LogmelConfig.from_json(feature)
            )
            self.logmel = LogmelFeatures(config)
            if statistics is None:
                raise ValueError("logmel features need the corpus statistics that step 3 fitted")
            if len(statistics.mean) != config.dim:
                raise ValueError(
                    f"statistics have {len(statistics.mean)} dimensions, features {config.dim}"
                )
        self._statistics = statistics
        self._tokenizer = tokenizer

    def start(self) -> EncoderState:
        """The state before the first turn of a dialogue."""
        return EncoderState()

    def raw(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, D) before any statistics: depends on this turn alone."""
        if self.logmel is not None:
            return self.logmel.raw(samples)
        assert self._frames is not None
        return self._frames.extract(samples)

    def raw_many(self, turns: Sequence[np.ndarray]) -> list[np.ndarray | ValueError]:
        """Of several turns (T,) what `raw` gives, and the error where it would raise one."""
        if self.logmel is None:
            assert self._frames is not None
            return list(self._frames.try_many(turns))
        found: list[np.ndarray | ValueError] = []
        for samples in turns:
            try:
                found.append(self.logmel.raw(samples))
            except ValueError as error:
                found.append(error)
        return found

    def advance(
        self, raw: np.ndarray, speaker: str, state: EncoderState
    ) -> tuple[np.ndarray, EncoderState]:
        """Raw features (F, D) of the next turn -> features (F, D) and the state after this turn."""
        if self.logmel is None:
            return raw, state
        assert self._statistics is not None
        known = state.speakers.get(speaker) or self.logmel.start_speaker(self._statistics)
        after = known.update(raw)
        return self.logmel.finish(raw, after), EncoderState({**state.speakers, speaker: after})

    def features(
        self, samples: np.ndarray, speaker: str, state: EncoderState
    ) -> tuple[np.ndarray, EncoderState]:
        """samples (T,) at 32 kHz -> features (F, D) and the state after this turn."""
        return self.advance(self.raw(samples), speaker, state)

    def tokens(self, features: np.ndarray) -> np.ndarray:
        """Features (F, D) -> codes (F // 2,) int64 at 25 Hz. Raises `ValueError`."""
        if self._tokenizer is None:
            raise ValueError("this encoder has no tokenizer; run step 4 first")
        if len(features) < 2:
            return np.zeros(0, np.int64)
        with torch.inference_mode():
            codes = self._tokenizer(torch.from_numpy(features.T[None].copy()))
        return codes.reshape(-1).numpy().astype(np.int64)

    def encode(
        self, samples: np.ndarray, speaker: str, state: EncoderState
    ) -> tuple[np.ndarray, np.ndarray, EncoderState]:
        """samples (T,), 32 kHz -> codes (N,) int64 at 25 Hz, features (F, D), and the new state."""
        features, state = self.features(samples, speaker, state)
        return self.tokens(features), features, state
