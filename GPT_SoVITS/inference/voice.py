"""Whose voice a reply has: the one rule for references, and the clips already read.

given audio  >  the same speaker's latest history turn  >  that speaker's medoid clip in the model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.constants import N_FFT
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.checkpoints.talker_folder import SpeakerEntry

MAX_REFERENCE_SECONDS = 30.0


class VoiceError(ValueError):
    """No voice to speak with; the message says what could be given."""


@dataclass(frozen=True)
class HeardAudio:
    """Sound of one finished turn."""

    speaker: str
    samples: np.ndarray
    """(T,) float32, 32 kHz"""


def choose_reference(
    speaker: str,
    *,
    given: np.ndarray | None,
    heard: Sequence[HeardAudio],
    known: Mapping[str, SpeakerEntry],
) -> np.ndarray:
    """(T,) samples of the reference; raises :class:`VoiceError` where there is none."""
    if given is not None:
        return _usable(given, "the given reference audio")
    for turn in reversed(heard):
        if turn.speaker == speaker and len(turn.samples) >= N_FFT:
            return turn.samples
    if speaker in known:
        return read_reference(known[speaker].clip)
    names = ", ".join(sorted(known)[:8]) or "none"
    raise VoiceError(
        f"no voice for speaker {speaker!r}: give reference audio, or audio of an earlier turn of "
        f"this speaker, or a speaker the model knows ({names})"
    )


def read_reference(path: str | Path) -> np.ndarray:
    """(T,) samples of a reference file, 32 kHz mono."""
    samples = load_audio(path, max_seconds=MAX_REFERENCE_SECONDS)
    return _usable(samples, str(path))


def _usable(samples: np.ndarray, name: str) -> np.ndarray:
    if samples.ndim != 1 or len(samples) < N_FFT or not np.isfinite(samples).all():
        raise VoiceError(f"{name}: must be finite mono audio of at least {N_FFT} samples at 32 kHz")
    if not np.abs(samples).max() > 1e-4:
        raise VoiceError(f"{name}: is silent; a voice cannot be taken from it")
    return samples.astype(np.float32, copy=False)
