"""Full duplex: `/v1/dialogues/{id}/ws`. Talk and listen at once; speaking up stops the reply.

client -> {"type": "turn", "speaker": "user", "text": …, "language": …, "audio": base64}
          {"type": "audio", "sample_rate": 16000}    then binary frames of 16-bit mono samples
          {"type": "commit", "speaker": "user", "text": …}     the frames so far are a turn
          {"type": "respond", "text": …, "language": …, "seed": …, …}
          {"type": "cancel"}                        barge-in; a turn or commit does it as well
server -> {"type": "turn.added", "index": …}
          {"type": "response.started", "turn": …, "sample_rate": 32000}
          binary frames: 16-bit mono samples of the reply
          {"type": "response.done" | "response.cancelled", "turn": …, "seconds": …}
          {"type": "error", "error": {…}}
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import numpy as np
import soundfile
from fastapi import APIRouter, WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.pcm import to_pcm
from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.speech import Speech
from GPT_SoVITS.server.dialogue_state import unbase64
from GPT_SoVITS.server.dialogue_work import NewTurn, Respond, add_turn, start_reply
from GPT_SoVITS.server.errors import ApiError, as_api_error, validation_error
from GPT_SoVITS.server.jobs import Job
from GPT_SoVITS.server.service import Service, request_id, service_of

router = APIRouter()
BARGE_IN = "barge_in"
RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


@router.websocket("/v1/dialogues/{number}/ws")
async def talk(socket: WebSocket, number: str) -> None:
    """One client's side of a dialogue."""
    service = service_of(socket)
    service.dialogues.get(number)
    await socket.accept()
    await _Conversation(service, socket, number).run()


class _Conversation:
    def __init__(self, service: Service, socket: WebSocket, number: str) -> None:
        self._service, self._socket, self._number = service, socket, number
        self._heard, self._rate = bytearray(), 16000
        self._job: Job | None = None
        self._speaking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client leaves or stays silent for too long."""
        idle = 60 * self._service.config.limits.dialogue_minutes
        try:
            while True:
                message = await asyncio.wait_for(self._socket.receive(), idle)
                if message["type"] == "websocket.disconnect":
                    return
                try:
                    await self._take(message)
                except Exception as error:  # told to the client, who may go on
                    await self._tell_error(error)
        except (TimeoutError, WebSocketDisconnect):
            return
        finally:
            await self._stop("client_gone")

    async def _take(self, message: MutableMapping[str, Any]) -> None:
        data = message.get("bytes")
        if data is not None:
            self._hear(data)
            return
        try:
            values = json.loads(message.get("text") or "")
        except (ValueError, RecursionError):
            raise ApiError(400, "invalid_json", "the message is no JSON") from None
        if not isinstance(values, dict):
            raise ApiError(400, "invalid_json", "the message is no JSON object")
        kind = values.pop("type", None)
        actions: dict[str, Callable[[dict[str, Any]], Awaitable[None]]]
        actions = {"turn": self._turn, "audio": self._audio, "commit": self._commit}
        actions |= {"respond": self._respond, "cancel": self._cancel}
        if kind not in actions:
            message_ = f"type must be one of {', '.join(actions)}"
            raise ApiError(400, "unknown_type", message_, param="type")
        try:
            await actions[kind](values)
        except ValidationError as error:
            raise validation_error(error.errors()) from None  # type: ignore[arg-type]

    def _hear(self, data: bytes) -> None:
        most = int(2 * self._rate * self._service.config.limits.turn_seconds)
        if len(self._heard) + len(data) > most:
            self._heard.clear()
            raise ApiError(413, "invalid_audio", "the turn is too long; it was dropped")
        self._heard += data

    async def _audio(self, values: dict[str, Any]) -> None:
        rate = values.get("sample_rate", 16000)
        if rate not in RATES:
            raise ApiError(
                422, "invalid_audio", f"sample_rate: one of {RATES}", param="sample_rate"
            )
        self._rate = rate
        self._heard.clear()

    async def _commit(self, values: dict[str, Any]) -> None:
        pcm = np.frombuffer(bytes(self._heard[: len(self._heard) // 2 * 2]), dtype="<i2")
        self._heard.clear()
        file = io.BytesIO()
        soundfile.write(file, pcm, self._rate, format="WAV", subtype="PCM_16")
        await self._add(NewTurn(**values), file.getvalue())

    async def _turn(self, values: dict[str, Any]) -> None:
        turn = NewTurn(**values)
        await self._add(turn, unbase64(turn.audio, param="audio") if turn.audio else None)

    async def _add(self, turn: NewTurn, recording: bytes | None) -> None:
        await self._stop(BARGE_IN)
        seconds = self._service.config.limits.turn_seconds
        samples = None
        if recording is not None:
            samples = await self._service.recording(recording, seconds=seconds, param="audio")
        dialogue = await add_turn(self._service, self._number, turn, samples)
        index = len(dialogue.session.turns) - 1
        await self._tell({"type": "turn.added", "index": index})

    async def _respond(self, values: dict[str, Any]) -> None:
        await self._stop(BARGE_IN)
        values.setdefault("response_format", "raw")
        job, plan, turn = start_reply(self._service, self._number, Respond(**values), stream=True)
        self._job = job
        started = {"type": "response.started", "turn": turn, "seed": plan.options.seed}
        await self._tell(started | {"sample_rate": SAMPLE_RATE})
        self._speaking = asyncio.create_task(self._speak(job, turn))

    async def _cancel(self, _: dict[str, Any]) -> None:
        await self._stop(BARGE_IN)

    async def _speak(self, job: Job, turn: int) -> None:
        seconds, kind = 0.0, "response.done"
        limit = self._service.config.limits.request_seconds
        try:
            async with asyncio.timeout(limit):
                async for item in job.items():
                    if isinstance(item, Speech) and not job.stop.is_set():
                        samples = await asyncio.to_thread(self._service.marked, item.samples)
                        await self._socket.send_bytes(to_pcm(samples).tobytes())
                        seconds += item.seconds
        except ReplyCancelled:
            kind = "response.cancelled"
        except Exception as error:  # the reply failed; the conversation goes on
            self._service.engine.drop(job, "timeout")
            await self._tell_error(error)
            return
        await self._tell({"type": kind, "turn": turn, "seconds": round(seconds, 3)})

    async def _stop(self, reason: str) -> None:
        """Cancel the reply under way and wait until its session is free."""
        if self._job is None or self._speaking is None:
            return
        self._service.engine.drop(self._job, reason)
        await asyncio.gather(self._speaking, return_exceptions=True)
        await asyncio.to_thread(self._job.done.wait, 10)
        self._job = self._speaking = None

    async def _tell(self, values: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(values))

    async def _tell_error(self, error: Exception) -> None:
        if isinstance(error, WebSocketDisconnect):
            raise error
        told = as_api_error(error)
        facts = {"code": told.code, "message": told.detail, "param": told.param}
        facts["request_id"] = request_id(self._socket)
        await self._tell({"type": "error", "error": facts})
