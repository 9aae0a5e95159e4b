"""Dialogues over HTTP: turns come in as text, recordings or both, replies go out as speech."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.server.archive import provenance
from GPT_SoVITS.server.batching import batched
from GPT_SoVITS.server.dialogue_state import DialogueState, dump_state, load_turns, unbase64
from GPT_SoVITS.server.dialogue_store import Heard, OpenDialogue
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.jobs import Job, Work
from GPT_SoVITS.server.openai_api import AUDIO, Name, Sampling
from GPT_SoVITS.server.responses import SpeechResponse
from GPT_SoVITS.server.service import Service, request_id, service_of
from GPT_SoVITS.server.speaking import Plan, Say, check_text, options_from

router = APIRouter(prefix="/v1/dialogues", tags=["dialogues"])
Language = Literal["auto", "en", "zh"]
Speaker = Annotated[str, Field(min_length=1, max_length=100)]


class NewDialogue(BaseModel):
    """A dialogue to open: who answers, in which voice; or one to go on with."""

    model_config = ConfigDict(extra="forbid")
    voice: Name = ""
    emotion: Name | None = None
    agent: Speaker | None = Field(default=None, description="name of the speaker who answers")
    state: DialogueState | None = Field(default=None, description="from GET …/state")


class NewTurn(BaseModel):
    """A finished turn; `text` may follow later where there is a recording."""

    model_config = ConfigDict(extra="forbid")
    speaker: Speaker = "user"
    text: str = ""
    language: Language = "auto"
    audio: str | None = Field(default=None, description="base64 of a sound file")


class Words(BaseModel):
    """What a recorded turn said."""

    model_config = ConfigDict(extra="forbid")
    text: str


class Respond(Sampling):
    """The agent's next turn."""

    text: str
    language: Language = "auto"
    response_format: Literal["wav", "mp3", "opus", "aac", "flac", "pcm", "raw"] = "wav"
    stream: bool = False


@router.post("", status_code=201)
async def create(body: NewDialogue, request: Request) -> dict[str, Any]:
    """Open a dialogue, empty or from the state another worker gave."""
    service = service_of(request)
    service.dialogues.check_room()
    voice = service.voices.find(body.voice, body.emotion)
    agent = body.agent or voice.name
    state = body.state
    if state is not None and len(state.turns) > service.config.limits.dialogue_turns:
        raise ApiError(422, "dialogue_full", "state: too many turns", param="state")
    known = service.talker.speakers.get(voice.name)
    reference = voice.clip
    if reference is None and agent != voice.name and known is not None:
        reference = known.clip

    def open_one() -> OpenDialogue:
        session, context = service.engine.session(agent, adapter=voice.model)
        if state is not None:
            talker, decoding = service.engine.served(voice.model)
            if state.quantizer_id not in ("", service.quantizer_id):
                message = "state: its tokens are of another model"
                raise ApiError(422, "invalid_state", message, param="state")
            seconds = service.config.limits.turn_seconds
            turns = load_turns(talker, state.turns, max_seconds=seconds)
            session = DialogueSession.rebuild(talker, turns, agent=agent)
            context = batched(session, decoding)
        path = None if reference is None else str(reference)
        return OpenDialogue(session, context, voice, path)

    made = await _done(service, open_one, "dialogue_open")
    return _shown(service.dialogues.add(made))


@router.get("/{number}")
async def show(number: str, request: Request) -> dict[str, Any]:
    """The dialogue's turns, without their sound."""
    return _shown(service_of(request).dialogues.get(number))


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

    return await _done(service, dump, "dialogue_state", dialogue)


@router.post("/{number}/fork", status_code=201)
async def fork(number: str, request: Request) -> dict[str, Any]:
    """An independent continuation from here."""
    service = service_of(request)
    service.dialogues.check_room()
    dialogue = service.dialogues.claim(number)
    try:
        session = dialogue.session.fork()
        context = session.context
        twin = OpenDialogue(session, context, dialogue.voice, dialogue.reference)  # type: ignore[arg-type]
        twin.waiting = dialogue.waiting
    finally:
        service.dialogues.release(dialogue)
    return _shown(service.dialogues.add(twin))


@router.post("/{number}/turns", status_code=201)
async def add_turn(number: str, body: NewTurn, request: Request) -> dict[str, Any]:
    """Add a finished turn: text, a recording in base64, or both."""
    service = service_of(request)
    samples = None
    if body.audio is not None:
        data = unbase64(body.audio, param="audio")
        seconds = service.config.limits.turn_seconds
        samples = await service.recording(data, seconds=seconds, param="audio")
    return await add(service, number, body, samples)


@router.post("/{number}/turns/upload", status_code=201)
async def upload_turn(
    number: str,
    request: Request,
    audio: Annotated[UploadFile, File(description="the recording")],
    speaker: Annotated[str, Form(min_length=1, max_length=100)] = "user",
    text: Annotated[str, Form()] = "",
    language: Annotated[Language, Form()] = "auto",
) -> dict[str, Any]:
    """Add a finished turn with its recording as a file."""
    service = service_of(request)
    seconds = service.config.limits.turn_seconds
    samples = await service.recording(await audio.read(), seconds=seconds, param="audio")
    turn = NewTurn(speaker=speaker, text=text, language=language)
    return await add(service, number, turn, samples)


@router.patch("/{number}/turns/last")
async def complete_turn(number: str, body: Words, request: Request) -> dict[str, Any]:
    """Say what the last recording, sent without text, said."""
    service = service_of(request)
    heard = service.dialogues.get(number).waiting
    if heard is None:
        raise ApiError(409, "nothing_waits", "no recorded turn waits for its text")
    turn = NewTurn.model_construct(speaker=heard.speaker, text=body.text, language=heard.language)
    return await add(service, number, turn, heard.samples, completes=True)


async def add(
    service: Service,
    number: str,
    turn: NewTurn,
    samples: np.ndarray | None,
    *,
    completes: bool = False,
) -> dict[str, Any]:
    """Add a turn to a dialogue; a recording without text waits for it."""
    limits = service.config.limits
    if turn.text.strip() or samples is None:
        check_text(turn.text, longest=limits.text_characters, param="text")
    dialogue = service.dialogues.claim(number)
    if dialogue.waiting is not None and not completes:
        service.dialogues.release(dialogue)
        raise ApiError(409, "text_missing", "PATCH …/turns/last with the last recording's text")
    if len(dialogue.session.turns) >= limits.dialogue_turns:
        service.dialogues.release(dialogue)
        raise ApiError(409, "dialogue_full", f"{limits.dialogue_turns} turns are the most")
    if not turn.text.strip():
        assert samples is not None
        dialogue.waiting = Heard(turn.speaker, turn.language, samples)
        service.dialogues.release(dialogue)
        return _shown(dialogue)

    def listen() -> None:
        spoken = Turn(turn.speaker, turn.text, turn.language)
        dialogue.session.add(spoken, samples=samples)
        dialogue.waiting = None

    await _done(service, listen, "dialogue_turn", dialogue)
    return _shown(dialogue)


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


def start_reply(
    service: Service, number: str, body: Respond, *, stream: bool
) -> tuple[Job, Plan, int]:
    """Queue the agent's next turn -> the job, what is spoken, the turn's index."""
    limits = service.config.limits
    text = check_text(body.text, longest=limits.text_characters, param="text")
    options = options_from(
        service.talker.options, max_seconds=limits.reply_seconds, **body.sampling()
    )
    dialogue = service.dialogues.claim(number)
    if dialogue.waiting is not None:
        service.dialogues.release(dialogue)
        raise ApiError(409, "text_missing", "PATCH …/turns/last with the last recording's text")
    plan = Plan((Say(text, body.language, dialogue.voice),), options)
    work = _reply(dialogue, text, body.language, options, stream=stream)
    try:
        job = service.engine.submit(
            work, name="dialogue", on_done=lambda: service.dialogues.release(dialogue)
        )
    except ApiError:
        service.dialogues.release(dialogue)
        raise
    return job, plan, len(dialogue.session.turns)


def _reply(dialogue: OpenDialogue, text: str, language: str, options: Any, *, stream: bool) -> Work:
    def work(job: Job) -> Iterator[Any]:
        dialogue.context.on_start = job.follow
        given = {"language": language, "options": options}
        given["reference_audio"] = dialogue.reference
        if not stream:
            yield dialogue.session.respond(text, **given)
            return
        chunks = dialogue.session.stream(text, **given)
        try:
            yield from chunks
        finally:
            chunks.close()  # type: ignore[attr-defined]

    return work


async def _done(
    service: Service, task: Callable[[], Any], name: str, dialogue: OpenDialogue | None = None
) -> Any:
    """Do something with a session in a worker thread; a claimed dialogue is released."""

    def work(_: Job) -> Iterator[Any]:
        yield task()

    def release() -> None:
        if dialogue is not None:
            service.dialogues.release(dialogue)

    try:
        job = service.engine.submit(work, name=name, on_done=release)
    except ApiError:
        release()
        raise
    return await service.result(job)


def _shown(dialogue: OpenDialogue) -> dict[str, Any]:
    turns = [
        {
            "speaker": one.turn.speaker,
            "text": one.turn.text,
            "language": one.turn.language,
            "seconds": None if one.samples is None else round(len(one.samples) / 32000, 3),
            "tokens": len(one.encoded.codes),
        }
        for one in dialogue.session.turns
    ]
    return {
        "id": dialogue.id,
        "object": "dialogue",
        "agent": dialogue.session.agent,
        "voice": dialogue.voice.name,
        "waits_for_text": dialogue.waiting is not None,
        "turns": turns,
    }
