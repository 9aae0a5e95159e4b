"""Sound files in and out: mono float32 inside, 16-bit outside, hostile files refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from GPT_SoVITS.atomic import replacing
from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.pcm import to_pcm

MAX_SECONDS = 3600.0
MIN_RATE, MAX_RATE = 4000, 192000
BLOCK_FRAMES = 1 << 16
SUBTYPES = {".wav": "PCM_16", ".flac": "PCM_16"}


class AudioError(ValueError):
    """A sound file that cannot be used; names the file, the value and the fix."""


def load_audio(
    path: str | Path | bytes, *, sample_rate: int = SAMPLE_RATE, max_seconds: float | None = None
) -> np.ndarray:
    """Read a sound file (or its bytes) as mono float32 (T,) at `sample_rate`.

    Channels are averaged. Decoding counts samples and stops at `max_seconds` (default one hour), so
    a header that lies about the length costs no memory. Raises `AudioError`.
    """
    name = "audio bytes" if isinstance(path, bytes) else str(path)
    limit = MAX_SECONDS if max_seconds is None else max_seconds
    if not isinstance(path, bytes) and not Path(path).is_file():
        raise AudioError(f"{name}: no such file")
    source = io.BytesIO(path) if isinstance(path, bytes) else str(path)
    try:
        with soundfile.SoundFile(source) as file:
            rate, samples = file.samplerate, _read(file, name, limit)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(f"{name}: not a sound file that can be read: {error}") from None
    if not len(samples):
        raise AudioError(f"{name}: holds no samples")
    if not np.isfinite(samples).all():
        raise AudioError(f"{name}: holds NaN or infinite samples")
    if rate != sample_rate:
        samples = soxr.resample(samples, rate, sample_rate, quality="HQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def _read(file: soundfile.SoundFile, name: str, limit: float) -> np.ndarray:
    if not MIN_RATE <= file.samplerate <= MAX_RATE:
        raise AudioError(
            f"{name}: sample rate {file.samplerate} Hz is outside {MIN_RATE}-{MAX_RATE}"
        )
    most, count, blocks = int(limit * file.samplerate), 0, []
    while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
        count += len(block)
        if count > most:
            raise AudioError(f"{name}: longer than {limit:g} s; cut it or raise the limit")
        blocks.append(block.mean(axis=1))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def save_audio(path: str | Path, samples: np.ndarray, *, sample_rate: int = SAMPLE_RATE) -> Path:
    """Write mono float samples (T,) as 16-bit WAV or FLAC (by suffix), complete or not at all.

    Values outside [-1, 1] are clipped, never wrapped. Raises `AudioError`.
    """
    path = Path(path)
    subtype = SUBTYPES.get(path.suffix.lower())
    if subtype is None:
        raise AudioError(f"{path}: write .wav or .flac, not {path.suffix!r}")
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise AudioError(f"{path}: samples must be one finite channel (T,), got {samples.shape}")
    pcm = to_pcm(samples)
    kind = path.suffix.lower().lstrip(".").upper()
    with replacing(path) as partial:
        soundfile.write(partial, pcm, sample_rate, format=kind, subtype=subtype)
    return path
