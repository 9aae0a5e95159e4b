"""What a recording is like, measured before anything is computed from it; no thresholds here."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from GPT_SoVITS.audio.io import MAX_RATE, MIN_RATE, AudioError

RIFF_UNKNOWN = 0x7FFFF000  # writers that stream put 0 or a huge number where the size belongs
FULL_SCALE = 0.98
FLAT_RUN = 3  # so many equal samples at full scale are a cut-off top
BLOCK_FRAMES = 1 << 16


class Truncated(AudioError):
    """The header promises more sound than the file holds."""


@dataclass(frozen=True)
class Recording:
    """Sound as the file has it."""

    samples: np.ndarray
    """(T, C) float32, as stored: not finite where the file is not."""
    sample_rate: int
    container: str
    """WAV, FLAC, MP3 … by content, whatever the name says."""


def read_recording(path: str | Path, *, max_seconds: float) -> Recording:
    """Decode all channels; stops after `max_seconds` plus one block, whatever the header claims.

    Raises `AudioError` or `Truncated`.
    """
    path = Path(path)
    _check_riff(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate, promised, container = file.samplerate, file.frames, file.format
            if not MIN_RATE <= rate <= MAX_RATE:
                raise AudioError(f"sample rate {rate} Hz is outside {MIN_RATE}-{MAX_RATE}")
            blocks, count = [], 0
            while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(block)
                count += len(block)
                if count > max_seconds * rate:
                    break
            else:
                if container != "MP3" and count < promised:  # an MP3 header only estimates
                    raise Truncated(f"{promised / rate:.3f} s promised, {count / rate:.3f} s held")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"not a sound file that can be read: {_reason(error)}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)
    return Recording(samples, rate, "WAV" if container in ("WAVEX", "RF64") else container)


def channel_correlation(samples: np.ndarray) -> float:
    """(T, C), any rate -> least correlation of a channel with the first; 1 if there is none.

    Near -1: their sum is noise, though each is fine.
    """
    first = samples[:, 0].astype(np.float64)
    least = 1.0
    for channel in samples.T[1:].astype(np.float64):
        power = np.sqrt(np.dot(first, first) * np.dot(channel, channel))
        if power > 0:
            least = min(least, float(np.dot(first, channel) / power))
    return least


def clipped_share(samples: np.ndarray) -> float:
    """(T,), any rate -> share of samples in flat runs at full scale: tops that were cut off."""
    if len(samples) < FLAT_RUN:
        return 0.0
    same = (samples[1:] == samples[:-1]) & (np.abs(samples[1:]) >= FULL_SCALE)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    lengths = edges[1::2] - edges[0::2] + 1  # a run of n equal samples has n - 1 equal pairs
    return float(lengths[lengths >= FLAT_RUN].sum() / len(samples))


def rms_db(samples: np.ndarray) -> float:
    """(T,), any rate -> loudness in dB of full scale; -inf for digital silence."""
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return float(10 * np.log10(power)) if power > 0 else float("-inf")


def shorten_silences(
    samples: np.ndarray, *, sample_rate: int, keep_seconds: float, top_db: float
) -> np.ndarray:
    """(T,) with stretches quieter than peak - `top_db` cut in their middle to `keep_seconds`."""
    hop = max(1, sample_rate // 100)
    frames = len(samples) // hop
    keep = round(keep_seconds * 100)
    if frames == 0:
        return samples
    power = np.square(samples[: frames * hop].reshape(frames, hop), dtype=np.float64).mean(axis=1)
    quiet = power < power.max() * 10 ** (-top_db / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    stays = np.ones(len(samples), bool)
    for start, stop in zip(edges[0::2], edges[1::2]):
        if stop - start > keep:
            stays[(start + keep - keep // 2) * hop : (stop - keep // 2) * hop] = False
    return samples[stays]


def _check_riff(path: Path) -> None:
    """Raise `Truncated` where a WAV's data chunk claims more bytes than follow."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            left = size - file.tell()
            if name == b"data":
                if left < length < RIFF_UNKNOWN:
                    raise Truncated(f"header promises {length} bytes of sound, {left} are there")
                return
            file.seek(length + length % 2, os.SEEK_CUR)


def _reason(error: Exception) -> str:
    """libsndfile's words without the path it was asked for."""
    return str(error).rsplit(": ", 1)[-1]
