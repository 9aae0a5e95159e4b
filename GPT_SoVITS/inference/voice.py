"""Whose voice a reply has: the one rule for references, and the clips already read.

given audio  >  the same speaker's latest history turn  >  that speaker's medoid clip in the model

Several given references are averaged in stage 2's condition, so their order does not matter.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.constants import N_FFT
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.checkpoints.talker_folder import SpeakerEntry
from GPT_SoVITS.inference.rendering import Voice

MAX_REFERENCE_SECONDS = 30.0
MAX_REFERENCES = 8
CACHED_VOICES = 16

Reference = str | Path | np.ndarray
"""A file, or samples (T,) float32 at 32 kHz."""
References = Reference | Sequence[Reference]


class VoiceError(ValueError):
    """No voice to speak with; the message says what could be given."""


@dataclass(frozen=True)
class HeardAudio:
    """Sound of one finished turn."""

    speaker: str
    samples: np.ndarray
    """(T,) float32, 32 kHz"""


def choose_references(
    speaker: str,
    *,
    given: References | None,
    heard: Sequence[HeardAudio],
    known: Mapping[str, SpeakerEntry],
) -> list[np.ndarray]:
    """[(T,) samples] of the references; raises :class:`VoiceError` where there is none."""
    if given is not None:
        return read_references(given)
    for turn in reversed(heard):
        if turn.speaker == speaker and len(turn.samples) >= N_FFT:
            return [turn.samples]
    if speaker in known:
        return [read_reference(known[speaker].clip)]
    names = ", ".join(sorted(known)[:8]) or "none"
    raise VoiceError(
        f"no voice for speaker {speaker!r}: give reference audio, or audio of an earlier turn of "
        f"this speaker, or a speaker the model knows ({names})"
    )


def read_references(given: References) -> list[np.ndarray]:
    """One reference or several -> [(T,) samples]. Raises `VoiceError`."""
    listed = [given] if isinstance(given, (str, Path, np.ndarray)) else list(given)
    if not 1 <= len(listed) <= MAX_REFERENCES:
        raise VoiceError(f"{len(listed)} references; give 1 to {MAX_REFERENCES}")
    return [read_reference(one) for one in listed]


def read_reference(reference: Reference) -> np.ndarray:
    """(T,) samples of a reference, 32 kHz mono."""
    if isinstance(reference, np.ndarray):
        return _usable(reference, "the given reference audio")
    samples = load_audio(reference, max_seconds=MAX_REFERENCE_SECONDS)
    return _usable(samples, str(reference))


class VoiceCache:
    """The latest voices by the content of their references; for many threads.

    A reference given again (as every turn of a session does) is not analysed again.
    """

    def __init__(self, size: int = CACHED_VOICES) -> None:
        self._size, self._lock = size, threading.Lock()
        self._voices: OrderedDict[bytes, Voice] = OrderedDict()

    def get(
        self, references: Sequence[np.ndarray], make: Callable[[Sequence[np.ndarray]], Voice]
    ) -> Voice:
        """The voice of these samples (T,); made outside the lock, so that threads do not wait."""
        digest = hashlib.blake2b(digest_size=16)
        for samples in references:
            digest.update(len(samples).to_bytes(8, "little"))
            digest.update(np.ascontiguousarray(samples, dtype=np.float32).tobytes())
        key = digest.digest()
        with self._lock:
            if key in self._voices:
                self._voices.move_to_end(key)
                return self._voices[key]
        voice = make(references)
        with self._lock:
            self._voices[key] = voice
            while len(self._voices) > self._size:
                self._voices.popitem(last=False)
        return voice


def _usable(samples: np.ndarray, name: str) -> np.ndarray:
    if samples.ndim != 1 or len(samples) < N_FFT or not np.isfinite(samples).all():
        raise VoiceError(f"{name}: must be finite mono audio of at least {N_FFT} samples at 32 kHz")
    if not np.abs(samples).max() > 1e-4:
        raise VoiceError(f"{name}: is silent; a voice cannot be taken from it")
    return samples.astype(np.float32, copy=False)
