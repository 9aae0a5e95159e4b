"""Recordings from strangers -> samples, or a refusal before any model sees them.

The container is recognised by its first bytes, never by a name. Decoding counts samples and stops
at the limit, so neither a header that lies nor four hours of silence in 2 MB cost memory.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile
import soxr

from GPT_SoVITS.audio.constants import N_FFT, SAMPLE_RATE
from GPT_SoVITS.audio.io import MIN_RATE
from GPT_SoVITS.server.errors import ApiError

MAX_RATE = 96_000
MAX_CHANNELS = 8
UNTIL_THE_END = 0xFFFFFFFF
"""Length in the header of a WAV that was streamed."""
SILENT_PEAK = 1e-4
BLOCK_FRAMES = 1 << 15
MAX_DECODED_FRAMES = 1 << 24
SUPPORTED = "wav, flac, mp3, ogg or opus"


def decode_recording(
    data: bytes, *, max_seconds: float, param: str = "audio", any_sound: bool = False
) -> np.ndarray:
    """The bytes of a sound file -> (T,) float32, 32 kHz mono, finite and not silent.

    `any_sound` also takes silence and snippets: what was spoken before, not what a voice is from.

    Raises ApiError: 413 where it is too long, 422 where it is no usable recording.
    """

    def refused(message: str, status: int = 422) -> ApiError:
        return ApiError(status, "invalid_audio", f"{param}: {message}", param=param)

    if sniff(data) is None:
        raise refused(f"is no sound file; send {SUPPORTED}")
    if wav_is_truncated(data):
        raise refused("the WAV header promises more sound than the file holds")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = file.samplerate
            if not MIN_RATE <= rate <= MAX_RATE:
                raise refused(f"sample rate {rate} Hz is outside {MIN_RATE}-{MAX_RATE}")
            if file.channels > MAX_CHANNELS:
                raise refused(f"has {file.channels} channels; at most {MAX_CHANNELS} are read")
            most = min(int(max_seconds * rate), MAX_DECODED_FRAMES)
            blocks, count = [], 0
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                count += len(block)
                if count > most:
                    raise refused(f"is longer than {max_seconds:g} s", 413)
                blocks.append(block.mean(axis=1))
    except (soundfile.LibsndfileError, RuntimeError):
        raise refused(f"cannot be decoded; send {SUPPORTED}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if not np.isfinite(samples).all():
        raise refused("holds NaN or infinite samples")
    if rate != SAMPLE_RATE and len(samples):
        samples = soxr.resample(samples, rate, SAMPLE_RATE, quality="HQ")
    if any_sound:
        return np.ascontiguousarray(np.clip(samples, -1.0, 1.0), dtype=np.float32)
    if len(samples) < N_FFT:
        raise refused(f"is shorter than {N_FFT / SAMPLE_RATE * 1000:.0f} ms")
    if not np.abs(samples).max() > SILENT_PEAK:
        raise refused("is silent")
    samples = samples / max(1.0, float(np.abs(samples).max()))
    return np.ascontiguousarray(samples, dtype=np.float32)


def sniff(data: bytes) -> str | None:
    """The container by its first bytes; None for anything not read here."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"fLaC":
        return "flac"
    if data[:4] == b"OggS":
        return "ogg"
    if data[:3] == b"ID3" or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2):
        return "mp3"
    return None


def wav_is_truncated(data: bytes) -> bool:
    """Whether a WAV's data chunk claims more bytes than follow."""
    if sniff(data) != "wav":
        return False
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data":
            return bool(len(data) - at < length < UNTIL_THE_END)
        at += length + length % 2
    return True
