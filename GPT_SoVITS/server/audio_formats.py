"""Samples -> wav, flac, mp3, opus, ogg, aac or raw pcm; whole or while they come.

libsndfile writes a file to a sink that can only grow: what it writes at the end goes out at once,
what it later goes back to correct (lengths in a header) is dropped for a stream and kept for a
whole file. AAC comes from ffmpeg through pipes.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soundfile
import soxr

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.pcm import to_pcm
from GPT_SoVITS.server.aac import AacEncoder


@dataclass(frozen=True)
class Format:
    """A container as clients name it."""

    media_type: str
    sample_rate: int = SAMPLE_RATE
    container: str = ""
    """libsndfile's name; empty for what it does not write."""
    subtype: str = ""
    knows_its_end: bool = True
    """False: the header states the length, so a stream's header cannot be right."""


FORMATS = {
    "wav": Format("audio/wav", knows_its_end=False),
    "pcm": Format("audio/pcm", sample_rate=24000),
    "raw": Format("audio/raw"),
    "flac": Format("audio/flac", container="FLAC", subtype="PCM_16", knows_its_end=False),
    "mp3": Format("audio/mpeg", container="MP3", subtype="MPEG_LAYER_III"),
    "opus": Format("audio/ogg", sample_rate=48000, container="OGG", subtype="OPUS"),
    "ogg": Format("audio/ogg", container="OGG", subtype="VORBIS"),
    "aac": Format("audio/aac"),
}
"""`pcm` has the 24 kHz OpenAI's clients expect; `raw` is api_v2's, at the model's own rate."""


class Encoder(Protocol):
    """Samples in, bytes out."""

    def write(self, samples: np.ndarray) -> bytes:
        """(T,) float32 at 32 kHz -> the bytes that are ready."""

    def close(self) -> bytes:
        """The last bytes."""

    def abort(self) -> None:
        """Nobody wants the rest."""


def encoder(name: str, *, streamed: bool) -> Encoder:
    """An encoder of one of FORMATS."""
    kind = FORMATS[name]
    if name == "aac":
        return AacEncoder()
    if kind.container:
        return _SoundFile(kind, streamed=streamed)
    return _Pcm(kind, header=name == "wav", streamed=streamed)


def encode(name: str, samples: np.ndarray) -> bytes:
    """A whole file of samples (T,) at 32 kHz."""
    made = encoder(name, streamed=False)
    start = made.write(samples)
    return start + made.close()


def wav_header(n_bytes: int, sample_rate: int) -> bytes:
    """44 bytes of 16-bit mono WAV; 0xFFFFFFFF stands for "until the end"."""
    riff = min(n_bytes + 36, 0xFFFFFFFF)
    head = struct.pack("<4sI4s4sIHHII", b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, 1, sample_rate,
                       sample_rate * 2)  # fmt: skip
    return head + struct.pack("<HH4sI", 2, 16, b"data", n_bytes)


class _Resampler:
    def __init__(self, rate: int) -> None:
        same = rate == SAMPLE_RATE
        self._soxr = None if same else soxr.ResampleStream(SAMPLE_RATE, rate, 1, dtype="float32")

    def __call__(self, samples: np.ndarray, *, last: bool = False) -> np.ndarray:
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        return samples if self._soxr is None else self._soxr.resample_chunk(samples, last=last)


class _Pcm:
    def __init__(self, kind: Format, *, header: bool, streamed: bool) -> None:
        self._rate, self._resample = kind.sample_rate, _Resampler(kind.sample_rate)
        self._header, self._streamed = header, streamed
        self._held: list[bytes] = []
        self._started = False

    def write(self, samples: np.ndarray) -> bytes:
        data = to_pcm(self._resample(samples)).tobytes()
        if not self._streamed:
            self._held.append(data)
            return b""
        return self._start() + data

    def close(self) -> bytes:
        rest = to_pcm(self._resample(np.zeros(0, np.float32), last=True)).tobytes()
        if self._streamed:
            return self._start() + rest
        data = b"".join(self._held) + rest
        return (wav_header(len(data), self._rate) if self._header else b"") + data

    def abort(self) -> None:
        self._held.clear()

    def _start(self) -> bytes:
        if self._started or not self._header:
            return b""
        self._started = True
        return wav_header(0xFFFFFFFF, self._rate)


class _Sink(io.RawIOBase):
    """Grows at its end; gives out what was added. Corrections reach only what is still held."""

    def __init__(self) -> None:
        self._held, self._given, self._at = bytearray(), 0, 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        start = self._at - self._given
        self._at += len(data)
        lost = max(0, -start)
        kept, start = bytes(data)[lost:], max(0, start)
        self._held[start : start + len(kept)] = kept
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._size)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        return b""  # nobody reads back; libsndfile asks for the method

    @property
    def _size(self) -> int:
        return self._given + len(self._held)

    def take(self) -> bytes:
        """What was added since the last call."""
        data = bytes(self._held)
        self._given += len(data)
        self._held.clear()
        return data


class _SoundFile:
    def __init__(self, kind: Format, *, streamed: bool) -> None:
        self._sink, self._streamed = _Sink(), streamed
        self._first, self._mp3 = True, kind.container == "MP3"
        self._resample = _Resampler(kind.sample_rate)
        self._file = soundfile.SoundFile(
            self._sink,
            "w",
            samplerate=kind.sample_rate,
            channels=1,
            format=kind.container,
            subtype=kind.subtype,
        )

    def write(self, samples: np.ndarray) -> bytes:
        self._put(self._resample(samples))
        return self._taken() if self._streamed else b""

    def close(self) -> bytes:
        self._put(self._resample(np.zeros(0, np.float32), last=True))
        self._file.close()
        return self._taken()

    def abort(self) -> None:
        self._file.close()

    def _taken(self) -> bytes:
        data = self._sink.take()
        if data and self._streamed and self._first and self._mp3:
            data = data[_empty_frame(data) :]
        self._first = self._first and not data
        return data

    def _put(self, samples: np.ndarray) -> None:
        # libsndfile encodes what one call brings on its stack: long calls overflow it (Vorbis).
        for start in range(0, len(samples), SAMPLE_RATE):
            self._file.write(np.clip(samples[start : start + SAMPLE_RATE], -1.0, 1.0))


def _empty_frame(data: bytes) -> int:
    """Length of the frame LAME leaves for the table of contents a stream never gets; or 0."""
    following = data.find(data[:2], 4)
    return following if following > 0 and not any(data[4:following]) else 0
