"""Speech while it is being made: a WAV without an end, served to the one who knows its token."""

from __future__ import annotations

import queue
import secrets
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.pcm import to_pcm

KEPT_SECONDS = 120.0
"""A stream nobody fetched is forgotten after this."""
ENDLESS = 0xFFFFFFFF - 36


class LiveStreams:
    """Streams by an unguessable token; each is read once, by the page that started it."""

    def __init__(self) -> None:
        self._streams: dict[str, tuple[float, queue.Queue[bytes | None]]] = {}
        self._lock = threading.Lock()

    def open(self) -> str:
        """A new stream; its token goes into the page's audio player."""
        token = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._lock:
            old = [t for t, (born, _) in self._streams.items() if now - born > KEPT_SECONDS]
            for name in old:
                del self._streams[name]
            self._streams[token] = (now, queue.Queue())
        return token

    def put(self, token: str, samples: np.ndarray) -> None:
        """(T,) float32 samples, 32 kHz, of the next chunk."""
        self._send(token, to_pcm(samples).tobytes())

    def close(self, token: str) -> None:
        """No more chunks; whoever listens gets to the end."""
        self._send(token, None)

    def read(self, token: str) -> Iterator[bytes] | None:
        """Header and chunks as they come; None for a token that is unknown or was used."""
        with self._lock:
            found = self._streams.pop(token, None) if token in self._streams else None
            if found is not None:
                self._streams[token + " "] = found  # still written to, no longer to be fetched
        return None if found is None else _chunks(found[1])

    def _send(self, token: str, data: bytes | None) -> None:
        with self._lock:
            found = self._streams.get(token) or self._streams.get(token + " ")
        if found is not None:
            found[1].put(data)


def _chunks(waiting: queue.Queue[bytes | None]) -> Iterator[bytes]:
    yield wav_header()
    while True:
        try:
            data = waiting.get(timeout=KEPT_SECONDS)
        except queue.Empty:
            return
        if data is None:
            return
        yield data


def wav_header(sample_rate: int = SAMPLE_RATE) -> bytes:
    """Of 16-bit mono sound whose length is not known yet."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    data = b"data" + struct.pack("<I", ENDLESS)
    return b"RIFF" + struct.pack("<I", ENDLESS + 36) + b"WAVEfmt " + form + data
