"""Dialogues over HTTP: turns come in as text, recordings or both, replies go out as speech."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from GPT_SoVITS.dialogue import Language
from GPT_SoVITS.server.archive import provenance
from GPT_SoVITS.server.dialogue_state import DialogueState, dump_state, unbase64
from GPT_SoVITS.server.dialogue_store import OpenDialogue
from GPT_SoVITS.server.dialogue_work import (
    NewDialogue,
    NewTurn,
    Respond,
    Speaker,
    Words,
    add_turn,
    do,
    open_dialogue,
    shown,
    start_reply,
    write_turn,
)
from GPT_SoVITS.server.openai_api import AUDIO
from GPT_SoVITS.server.responses import SpeechResponse
from GPT_SoVITS.server.service import request_id, service_of

router = APIRouter(prefix="/v1/dialogues", tags=["dialogues"])


@router.post("", status_code=201)
async def create(body: NewDialogue, request: Request) -> dict[str, Any]:
    """Open a dialogue, empty or from the state another worker gave."""
    return shown(await open_dialogue(service_of(request), body))


@router.get("/{number}")
async def show(number: str, request: Request) -> dict[str, Any]:
    """The dialogue's turns, without their sound."""
    return shown(service_of(request).dialogues.get(number))


@router.delete("/{number}", status_code=204)
async def delete(number: str, request: Request) -> None:
    """Forget a dialogue."""
    service_of(request).dialogues.delete(number)


@router.get("/{number}/state")
async def state(number: str, request: Request) -> DialogueState:
    """Everything another worker needs to go on with this dialogue."""
    service = service_of(request)
    dialogue = service.dialogues.claim(number)

    def dump() -> DialogueState:
        return dump_state(dialogue.session, service.quantizer_id)

    found = await do(service, dump, "dialogue_state", dialogue)
    assert isinstance(found, DialogueState)
    return found


@router.post("/{number}/fork", status_code=201)
async def fork(number: str, request: Request) -> dict[str, Any]:
    """An independent continuation from here."""
    service = service_of(request)
    service.dialogues.check_room()
    dialogue = service.dialogues.claim(number)
    try:
        twin = OpenDialogue(dialogue.session.fork(), dialogue.voice, dialogue.reference)
    finally:
        service.dialogues.release(dialogue)
    return shown(service.dialogues.add(twin))


@router.post("/{number}/turns", status_code=201)
async def add(number: str, body: NewTurn, request: Request) -> dict[str, Any]:
    """Add a finished turn: text, recording (base64) or both."""
    service, samples = service_of(request), None
    if body.audio is not None:
        data = unbase64(body.audio, param="audio")
        seconds = service.config.limits.turn_seconds
        samples = await service.recording(data, seconds=seconds, param="audio")
    return shown(await add_turn(service, number, body, samples))


@router.post("/{number}/turns/upload", status_code=201)
async def upload_turn(
    number: str,
    request: Request,
    audio: Annotated[UploadFile, File(description="the recording")],
    speaker: Annotated[Speaker, Form()] = "user",
    text: Annotated[str, Form()] = "",
    language: Annotated[Language, Form()] = "auto",
) -> dict[str, Any]:
    """Add a finished turn with its recording as a file."""
    service = service_of(request)
    seconds = service.config.limits.turn_seconds
    samples = await service.recording(await audio.read(), seconds=seconds, param="audio")
    turn = NewTurn(speaker=speaker, text=text, language=language)
    return shown(await add_turn(service, number, turn, samples))


@router.patch("/{number}/turns/{index}")
async def complete_turn(number: str, index: int, body: Words, request: Request) -> dict[str, Any]:
    """Say what a recording, added without text, said."""
    return shown(await write_turn(service_of(request), number, index, body))


@router.post("/{number}/respond", response_class=Response, responses=AUDIO)
async def respond(number: str, body: Respond, request: Request) -> Response:
    """Speak the agent's next turn and keep it as history."""
    service = service_of(request)
    job, plan, turn = start_reply(service, number, body, stream=body.stream)
    facts = provenance(plan, model=service.model_name, request_id=request_id(request))
    headers = {"x-turn": str(turn)}
    return SpeechResponse(
        service, job, form=body.response_format, streamed=body.stream, facts=facts, headers=headers
    )
