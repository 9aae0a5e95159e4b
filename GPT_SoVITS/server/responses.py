"""A job's speech as an HTTP response: whole with its length, or streamed as it is made.

Headers go out with the first sound, so a failure before it is an honest 4xx or 5xx. After it, a
failed stream is closed without its last chunk: no client can take it for complete. A client that
goes away cancels the job.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.server.audio_formats import FORMATS, Encoder, encoder
from GPT_SoVITS.server.errors import ApiError, as_api_error
from GPT_SoVITS.server.jobs import Job
from GPT_SoVITS.server.logs import event
from GPT_SoVITS.server.service import Service

CLIENT_GONE = "client_gone"


class SpeechResponse(Response):
    """Sends what a job speaks."""

    def __init__(
        self,
        service: Service,
        job: Job,
        *,
        form: str,
        streamed: bool,
        facts: Mapping[str, Any],
        sse: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._service, self._job, self._form = service, job, form
        self._streamed, self._sse, self._facts = streamed, sse, dict(facts)
        self._started = False
        self._sent = bytearray()
        self.background = None
        self.status_code = 200
        self.media_type = "text/event-stream" if sse else FORMATS[form].media_type
        shown = {"x-seed": str(facts["seed"]), "x-sample-rate": str(FORMATS[form].sample_rate)}
        shown["x-provenance"] = json.dumps(dict(facts))
        self.init_headers(shown | dict(headers or {}))
        del self.headers["content-length"]

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """As the base class; the body's length is not known yet."""
        self.body = b""
        super().init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; raises ApiError as long as nothing was sent."""
        made = encoder(self._form, streamed=self._streamed)
        watcher = asyncio.create_task(self._watch(receive))
        try:
            async with asyncio.timeout(self._service.config.limits.request_seconds):
                await (self._stream if self._streamed else self._whole)(made, send)
        except ReplyCancelled:
            if self._job.reason != CLIENT_GONE and not self._started:
                raise ApiError(503, "stopping", "the server is stopping") from None
        except Exception as error:  # told in full to the log, as far as possible to the client
            self._fail(error)
        finally:
            watcher.cancel()
            self._service.engine.drop(self._job, CLIENT_GONE)
            made.abort()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._service.engine.drop(self._job, CLIENT_GONE)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            self._service.engine.drop(self._job, "timeout")
            error = ApiError(504, "timeout", "the reply took too long")
        told = as_api_error(error)
        if told is not error:
            event("response_failed", level=40, error=error)
        if not self._started:
            raise told
        self._service.metrics.failed.labels("stream").inc()
        event("stream_broken", level=30, code=told.code, job=self._job.name)

    async def _whole(self, made: Encoder, send: Send) -> None:
        async for speech in self._speeches():
            await asyncio.to_thread(self._coded, made, speech)
        data = await asyncio.to_thread(made.close)
        await self._keep(data)
        self.headers["content-length"] = str(len(data))
        await self._start(send)
        await send({"type": "http.response.body", "body": data, "more_body": False})

    async def _stream(self, made: Encoder, send: Send) -> None:
        async for speech in self._speeches():
            await self._send_piece(await asyncio.to_thread(self._coded, made, speech), send)
        await self._send_piece(await asyncio.to_thread(made.close), send)
        await self._keep(bytes(self._sent))
        last = _event({"type": "speech.audio.done"}) if self._sse else b""
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _send_piece(self, data: bytes, send: Send) -> None:
        if not data:
            return
        if not self._started:
            await self._start(send)
        if self._service.archive is not None:
            self._sent += data
        if self._sse:
            coded = base64.b64encode(data).decode()
            data = _event({"type": "speech.audio.delta", "audio": coded})
        await send({"type": "http.response.body", "body": data, "more_body": True})

    async def _start(self, send: Send) -> None:
        self._started = True
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )

    async def _speeches(self) -> AsyncIterator[Speech]:
        async for item in self._job.items():
            if isinstance(item, Speech):
                yield item

    def _coded(self, made: Encoder, speech: Speech) -> bytes:
        return made.write(self._service.marked(speech.samples))

    async def _keep(self, data: bytes) -> None:
        archive = self._service.archive
        if archive is not None:
            name = str(self._facts["request_id"])
            await asyncio.to_thread(archive.keep, name, self._form, data, self._facts)


def _event(values: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(values)}\n\n".encode()
