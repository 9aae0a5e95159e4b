"""OpenAI's speech API: `POST /v1/audio/speech`, `GET /v1/models`, and the voices to choose from."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from GPT_SoVITS.dialogue import Language
from GPT_SoVITS.server.archive import provenance
from GPT_SoVITS.server.audio_formats import FORMATS
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.responses import SpeechResponse
from GPT_SoVITS.server.service import request_id, service_of
from GPT_SoVITS.server.speaking import (
    Plan,
    check_text,
    options_from,
    plain_parts,
    ssml_parts,
    work_of,
)
from GPT_SoVITS.server.voice_pack import VoicePack

router = APIRouter(prefix="/v1", tags=["openai"])
AUDIO: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {kind.media_type: {} for kind in FORMATS.values()} | {"text/event-stream": {}},
        "description": "the speech",
    }
}
PUBLISHED_NAMES = {"tts-1", "tts-1-hd", "gpt-4o-mini-tts"}
"""Model names clients send by habit; they mean the model served here."""
PUBLISHED_VOICES = set(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()
)
"""Voices clients name by habit; where none is registered under the name, the default one speaks."""
Name = Annotated[str, Field(max_length=200)]


class Sampling(BaseModel):
    """What every spoken request may set; absent values are the model's own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    speed: float | None = Field(default=None, description="0.5 to 2; 1.2 is 20 % faster")
    seed: int | None = Field(default=None, description="same seed, same speech; -1 is random")
    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None

    def sampling(self) -> dict[str, Any]:
        """The values given."""
        return {name: getattr(self, name) for name in Sampling.model_fields}


class SpeechRequest(Sampling):
    """OpenAI's fields, then ours."""

    input: str
    model: Name = ""
    voice: Name = ""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    stream_format: Literal["audio", "sse"] | None = None
    instructions: str | None = None
    stream: bool | None = Field(
        default=None, description="send sound as it is made; default: yes, but for wav and flac"
    )
    language: Language = "auto"
    emotion: Name | None = None
    ssml: bool = Field(default=False, description="`input` is an SSML document")


@router.post("/audio/speech", response_class=Response, responses=AUDIO)
async def speak(body: SpeechRequest, request: Request) -> Response:
    """Speak a text. Raises `ApiError`."""
    service = service_of(request)
    if body.model and body.model not in PUBLISHED_NAMES | {service.model_name}:
        message = f"no model {body.model[:80]!a}; there is {service.model_name}"
        raise ApiError(404, "model_not_found", message, param="model")
    if body.instructions:
        message = "instructions are not followed by this model; choose an emotion of the voice"
        raise ApiError(422, "unsupported", message, param="instructions")
    limits = service.config.limits
    text = check_text(body.input, longest=limits.text_characters, param="input")
    habit = body.voice in PUBLISHED_VOICES and not service.voices.knows(body.voice)
    voice = service.voices.find(None if habit else body.voice, body.emotion)
    language = voice.language if body.language == "auto" else body.language
    sse = body.stream_format == "sse"
    streamed = body.stream
    if streamed is None:
        streamed = sse or FORMATS[body.response_format].knows_its_end
    options = options_from(service.talker.options, longest=limits.reply_seconds, **body.sampling())
    if body.ssml:
        parts = ssml_parts(text, language=language, voice=voice, registry=service.voices)
    else:
        parts = plain_parts(text, language=language, voice=voice)
    plan = Plan(tuple(parts), options, "tokens" if streamed else "whole")
    facts = provenance(plan, model=service.model_name, request_id=request_id(request))
    job = service.engine.submit(work_of(plan, service.voice_sessions), name="speech")
    return SpeechResponse(
        service, job, form=body.response_format, streamed=streamed or sse, facts=facts, sse=sse
    )


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The model served here."""
    return {"object": "list", "data": [_model(service_of(request).model_name)]}


@router.get("/models/{name}")
async def model(name: str, request: Request) -> dict[str, Any]:
    """One model. Raises `ApiError`."""
    own = service_of(request).model_name
    if name not in PUBLISHED_NAMES | {own}:
        raise ApiError(404, "model_not_found", "no such model", param="model")
    return _model(own)


@router.get("/voices")
async def voices(request: Request) -> dict[str, Any]:
    """All voices with their emotions; uploaded ones are known to their owners only."""
    listed = [pack for pack in service_of(request).voices.all() if pack.kind != "upload"]
    return {"object": "list", "data": [_voice(pack) for pack in listed]}


@router.post("/voices", status_code=201)
async def upload_voice(
    request: Request,
    audio: Annotated[UploadFile, File(description="a few seconds of the voice")],
    consent: Annotated[bool, Form(description="the speaker agreed to this use")],
    text: Annotated[str, Form(max_length=400, description="what the recording says")] = "",
    language: Annotated[Language, Form()] = "auto",
) -> dict[str, Any]:
    """Register a recording as a voice for a while; its id is the `voice` of later requests.

    Raises `ApiError`.
    """
    service = service_of(request)
    if not consent:
        raise ApiError(422, "consent_missing", "consent must be true", param="consent")
    seconds = service.config.limits.reference_seconds
    samples = await service.recording(await audio.read(), seconds=seconds, param="audio")
    return _voice(service.voices.upload(samples, text=text, language=language))


@router.delete("/voices/{name}", status_code=204)
async def delete_voice(name: str, request: Request) -> None:
    """Forget an uploaded voice."""
    service_of(request).voices.delete(name)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "gpt-sovits-dialogue"}


def _voice(pack: VoicePack) -> dict[str, Any]:
    return {
        "id": pack.name,
        "object": "voice",
        "kind": pack.kind,
        "language": pack.voice().language,
        "emotions": list(pack.emotions),
        "default_emotion": pack.default_emotion,
        "description": pack.description,
    }
