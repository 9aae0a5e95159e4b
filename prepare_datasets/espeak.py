"""The embedded speech synthesiser of the demo corpus: espeak-ng as the wheel ships it.

Used for making training data only; nothing the models say passes through it. One instance per
process, because the library keeps global state. Two runs are not sample-identical.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SYNCHRONOUS, CHARS_UTF8 = 2, 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4


class EspeakError(RuntimeError):
    """The synthesiser is not there, or refused."""


@dataclass(frozen=True)
class Prosody:
    """How something is said, in espeak's own units."""

    pitch: int
    """Level, 0-100; 50 is the voice's own."""
    range: int
    """Movement of the pitch, 0-100; 0 is monotone."""
    rate: int
    """Words per minute; 175 is normal."""
    loudness: int
    """Amplitude in percent."""


class Synthesizer:
    """Text and voice -> samples."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError:
            raise EspeakError("the demo corpus needs `pip install espeakng-loader`") from None
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate = int(self._library.espeak_Initialize(SYNCHRONOUS, 0, data, 0))
        if self.sample_rate <= 0:
            raise EspeakError("espeak-ng could not be initialised with the data of its wheel")
        self._chunks: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = kind(self._receive)  # kept: the library holds only the address
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples, count: int, events) -> int:  # type: ignore[no-untyped-def]
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str, voice: str, prosody: Prosody) -> np.ndarray:
        """-> float32 (T,) in [-1, 1] at `sample_rate`, silence at both ends shortened.

        Raises `EspeakError`.
        """
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EspeakError(f"espeak-ng has no voice {voice!r}")
        values = {RATE: prosody.rate, VOLUME: prosody.loudness}
        values |= {PITCH: prosody.pitch, RANGE: prosody.range}
        for parameter, value in values.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        encoded = text.encode()
        status = self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, 0, 0, CHARS_UTF8, None, None
        )
        self._library.espeak_Synchronize()
        if status != 0 or not self._chunks:
            raise EspeakError(f"espeak-ng said nothing for {text!r} (status {status})")
        samples = np.concatenate(self._chunks).astype(np.float32) / 32768
        result: np.ndarray = _shorten_ends(samples, self.sample_rate)
        return result


def _shorten_ends(samples: np.ndarray, sample_rate: int, *, keep_seconds: float = 0.06):  # type: ignore[no-untyped-def]
    """Cut silence before and after (T,) down to `keep_seconds`."""
    loud = np.flatnonzero(np.abs(samples) > 0.004)
    if not len(loud):
        return samples
    keep = int(keep_seconds * sample_rate)
    return samples[max(0, loud[0] - keep) : loud[-1] + keep]


@lru_cache(maxsize=1)
def synthesizer() -> Synthesizer:
    """The one instance of this process."""
    return Synthesizer()
