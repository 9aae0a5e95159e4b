"""What is done with an open dialogue, by HTTP and WebSocket alike: open, add, speak, describe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.dialogue import Language, Turn
from GPT_SoVITS.inference.options import LONGEST_SECONDS
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.server.dialogue_state import DialogueState, load_turns
from GPT_SoVITS.server.dialogue_store import OpenDialogue
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.jobs import Job
from GPT_SoVITS.server.openai_api import Name, Sampling
from GPT_SoVITS.server.service import Service
from GPT_SoVITS.server.speaking import Plan, Say, check_text, options_from

Speaker = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


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
    language: Language = "auto"


class Respond(Sampling):
    """The agent's next turn."""

    text: str
    language: Language = "auto"
    response_format: Literal["wav", "mp3", "opus", "aac", "flac", "pcm", "raw"] = "wav"
    stream: bool = False


async def open_dialogue(service: Service, asked: NewDialogue) -> OpenDialogue:
    """A new dialogue, empty or from the state another worker gave. Raises `ApiError`."""
    service.dialogues.check_room()
    limits, state = service.config.limits, asked.state
    voice = service.voices.find(asked.voice, asked.emotion)
    agent = asked.agent or voice.name
    own = voice.name in service.talker.speakers and not voice.model
    own = own and voice.clip == service.talker.speakers[voice.name].clip
    if state is not None and len(state.turns) > limits.dialogue_turns:
        raise ApiError(422, "dialogue_full", "state: too many turns", param="state")
    if state is not None and state.quantizer_id not in ("", service.quantizer_id):
        raise ApiError(
            422, "invalid_state", "state: its tokens are of another model", param="state"
        )

    def work() -> OpenDialogue:
        talker, decoding = service.engine.served(voice.model)
        most = int(limits.dialogue_mb * 1e6)
        turns = (
            []
            if state is None
            else load_turns(talker, state.turns, max_seconds=limits.turn_seconds)
        )
        session = DialogueSession.rebuild(
            talker, turns, agent=agent, max_bytes=most, decoding=decoding
        )
        # A speaker the model knows speaks for itself; any other voice is given with every reply.
        return OpenDialogue(session, voice, None if own and agent == voice.name else voice.clip)

    return service.dialogues.add(await do(service, work, "dialogue_open"))


async def add_turn(
    service: Service, number: str, turn: NewTurn, samples: np.ndarray | None
) -> OpenDialogue:
    """Add a finished turn: text, recording (T,) at 32 kHz, or both. Raises `ApiError`."""
    limits = service.config.limits
    if turn.text.strip() or samples is None:
        check_text(turn.text, longest=limits.text_characters, param="text")
    dialogue = service.dialogues.claim(number)
    if len(dialogue.session.turns) >= limits.dialogue_turns:
        service.dialogues.release(dialogue)
        raise ApiError(409, "dialogue_full", f"{limits.dialogue_turns} turns are the most")

    def listen() -> None:
        if turn.text.strip():
            spoken = Turn(turn.speaker, turn.text, turn.language)
            dialogue.session.add(spoken, samples=samples)
        elif samples is not None:
            dialogue.session.hear(turn.speaker, samples)

    await do(service, listen, "dialogue_turn", dialogue)
    return dialogue


async def write_turn(service: Service, number: str, index: int, words: Words) -> OpenDialogue:
    """The text of a turn that was only heard so far. Raises `ApiError`."""
    check_text(words.text, longest=service.config.limits.text_characters, param="text")
    dialogue = service.dialogues.claim(number)
    turns = dialogue.session.turns
    if not 0 <= index < len(turns) or turns[index].turn is not None:
        service.dialogues.release(dialogue)
        raise ApiError(409, "nothing_waits", "no turn with this index waits for its text")

    def write() -> None:
        dialogue.session.write(index, words.text, language=words.language)

    await do(service, write, "dialogue_text", dialogue)
    return dialogue


def start_reply(
    service: Service, number: str, asked: Respond, *, stream: bool
) -> tuple[Job, Plan, int]:
    """Queue the agent's next turn -> the job, what is spoken, the turn's index."""
    limits = service.config.limits
    text = check_text(asked.text, longest=limits.text_characters, param="text")
    whole = replace(service.talker.options, max_seconds=LONGEST_SECONDS)  # a turn, not a sentence
    options = options_from(whole, longest=LONGEST_SECONDS, **asked.sampling())
    dialogue = service.dialogues.claim(number)
    plan = Plan((Say(text, asked.language, dialogue.voice),), options)
    session, index = dialogue.session, len(dialogue.session.turns)

    def work(job: Job) -> Iterator[Any]:
        given: dict[str, Any]
        given = {"language": asked.language, "options": options, "cancel": job.stop}
        given["reference_audio"] = dialogue.reference
        if stream:
            yield from session.stream(text, **given)
        else:
            yield session.respond(text, **given)

    try:
        job = service.engine.submit(
            work, name="dialogue", on_done=lambda: service.dialogues.release(dialogue)
        )
    except ApiError:
        service.dialogues.release(dialogue)
        raise
    return job, plan, index


async def do(
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


def shown(dialogue: OpenDialogue) -> dict[str, Any]:
    """A dialogue as clients see it: its turns without their sound."""
    turns = [
        {
            "speaker": one.speaker,
            "text": one.turn.text if one.turn is not None else None,
            "language": one.turn.language if one.turn is not None else None,
            "seconds": None if one.samples is None else round(len(one.samples) / SAMPLE_RATE, 3),
            "tokens": len(one.encoded.codes),
        }
        for one in dialogue.session.turns
    ]
    return {
        "id": dialogue.id,
        "object": "dialogue",
        "agent": dialogue.session.agent,
        "voice": dialogue.voice.name,
        "turns": turns,
    }
