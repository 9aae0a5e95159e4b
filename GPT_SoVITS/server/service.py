"""What every route needs: settings, voices, engine, metrics; made once per server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
from starlette.requests import HTTPConnection

from GPT_SoVITS.checkpoints.talker_folder import read_talker
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.server.archive import Archive
from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.dialogue_store import DialogueStore
from GPT_SoVITS.server.engine import Engine
from GPT_SoVITS.server.jobs import Job
from GPT_SoVITS.server.metrics import Metrics
from GPT_SoVITS.server.uploads import decode_recording
from GPT_SoVITS.server.voice_sessions import VoiceSessions
from GPT_SoVITS.server.voices import VoiceRegistry

Watermark = Callable[[np.ndarray], np.ndarray]
"""(T,) samples -> (T,) samples with a mark; sees every chunk in order."""


class Service:
    """One server's parts."""

    def __init__(
        self, talker: Talker, config: ServeConfig, *, watermark: Watermark | None = None
    ) -> None:
        self.config, self.talker, self.watermark = config, talker, watermark
        self.metrics = Metrics()
        self.engine = Engine(talker, config, self.metrics)
        self.voices = VoiceRegistry(config, talker.speakers, adapters=self.engine.adapters)
        self.voice_sessions = VoiceSessions(self.engine)
        self.dialogues = DialogueStore(config.limits, self.metrics)
        self.archive = Archive(config.archive) if config.archive else None
        self._decoding = asyncio.Semaphore(2)

    @property
    def model_name(self) -> str:
        """The model as clients see it: the folder's name, never its path."""
        folder = self.talker.folder
        return "talker" if folder is None else Path(folder).resolve().name

    @property
    def quantizer_id(self) -> str:
        """Which codebook the tokens of dialogues are of."""
        folder = self.talker.folder
        return "" if folder is None else read_talker(folder).quantizer_id

    def marked(self, samples: np.ndarray) -> np.ndarray:
        """(T,) samples, 32 kHz, as they leave the server."""
        return samples if self.watermark is None else self.watermark(samples)

    async def recording(self, data: bytes, *, seconds: float, param: str) -> np.ndarray:
        """An uploaded recording (T,), 32 kHz, decoded off the event loop, two at a time."""
        async with self._decoding:
            return await asyncio.to_thread(decode_recording, data, max_seconds=seconds, param=param)

    async def result(self, job: Job) -> object:
        """What a job that speaks nothing yields."""
        try:
            async with asyncio.timeout(self.config.limits.request_seconds):
                return await job.result()
        finally:
            self.engine.drop(job, "client_gone")

    def close(self) -> None:
        """Stop all threads, forget all uploads."""
        self.engine.close()
        self.voices.close()


def service_of(connection: HTTPConnection) -> Service:
    """The server's parts, from a request or a socket."""
    service = connection.app.state.service
    assert isinstance(service, Service)
    return service


def request_id(connection: HTTPConnection) -> str:
    """The id in the log, in errors and in the header X-Request-Id."""
    return str(connection.scope["state"]["request_id"])
