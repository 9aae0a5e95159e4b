"""What a turn must be like to be learned from: every threshold of steps 2 and 3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TextLimits:
    """What a transcript must be."""

    max_removed_share: float = 0.3
    """Most characters (share of those that are no spaces) that may be unspeakable; fewer are left
    out with a notice."""

    max_foreign_share: float = 0.0
    """Most letters (share of the same) of scripts that cannot be read: the audio has these words,
    the text would not."""

    max_phonemes: int = 540
    """Most phonemes of a turn (published: of a turn with its history)."""

    def __post_init__(self) -> None:
        if self.max_phonemes < 1:
            raise ValueError("text_limits.max_phonemes must be 1 or more")
        if not (0 <= self.max_removed_share <= 1 and 0 <= self.max_foreign_share <= 1):
            raise ValueError("text_limits are shares, 0 to 1")


@dataclass(frozen=True)
class AudioLimits:
    """What a recording must be to become a turn."""

    min_seconds: float = 0.2
    max_seconds: float = 30.0
    min_peak: float = 1e-4
    """Below it the recording is silence."""
    min_rms_db: float = -60.0
    """Loudness in dB of full scale, below which the recording is silence."""
    min_phonemes_per_second: float = 1.5
    """Below it the transcript does not fit the recording …"""
    max_phonemes_per_second: float = 40.0
    """… nor above."""
    max_clipped_share: float = 0.02
    """Most samples (share) that may lie in tops cut off at full scale."""
    min_channel_correlation: float = -0.5
    """Of stereo; below it the channels cancel each other."""
    antiphase: Literal["quarantine", "left"] = "quarantine"
    """What to do then: leave the turn out, or take the first channel."""
    min_sample_rate: int = 8000
    """Hz; recordings below are left out …"""
    full_sample_rate: int = 16000
    """… and below this kept with the notice low_bandwidth."""
    shorten_silences: bool = False
    """Cut the middle out of long silences."""
    silence_seconds: float = 0.3
    """What stays of a silence that is shortened."""
    silence_top_db: float = 20.0
    """So far below the loudest 10 ms a stretch counts as silence."""

    def __post_init__(self) -> None:
        if not 0 < self.min_seconds < self.max_seconds:
            raise ValueError("audio: 0 < min_seconds < max_seconds is needed")
        if not 0 < self.min_phonemes_per_second < self.max_phonemes_per_second:
            raise ValueError("audio: 0 < min_phonemes_per_second < max_phonemes_per_second")
