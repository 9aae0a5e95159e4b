"""GPT-SoVITS's `api_v2`: `/tts` as its clients call it, on the port they know.

`ref_audio_path` is the name of a registered voice (or of an upload), and only with
`--allow_ref_root` a file below that folder. What changed the server over plain GET is gone; each
old route says what replaces it.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from GPT_SoVITS.dialogue import LANGUAGES
from GPT_SoVITS.inference.voice import MAX_REFERENCES
from GPT_SoVITS.server.archive import provenance
from GPT_SoVITS.server.audio_formats import FORMATS
from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.responses import SpeechResponse
from GPT_SoVITS.server.service import request_id, service_of
from GPT_SoVITS.server.speaking import Plan, check_text, options_from, plain_parts, work_of

router = APIRouter(tags=["api_v2"])
SPOKEN = {code: code for code in LANGUAGES} | {"all_zh": "zh"}
MEDIA = ("wav", "raw", "ogg", "aac")
AUDIO: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {FORMATS[name].media_type: {} for name in MEDIA},
        "description": "the speech; a streamed wav is its header, then raw frames",
    }
}
GONE = {
    "/control": "stop the server with SIGTERM, or POST /admin/drain with the token",
    "/set_gpt_weights": "start a server per model; voices choose adapters in voice.yaml",
    "/set_sovits_weights": "start a server per model; voices choose adapters in voice.yaml",
    "/set_refer_audio": "register voices: POST /v1/voices, or voices/<name>/voice.yaml",
}


class TtsRequest(BaseModel):
    """The published parameters with the published defaults."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    text: str
    text_lang: str = Field(max_length=20)
    ref_audio_path: str = Field(max_length=400, description="a voice: GET /v1/voices")
    prompt_lang: str = Field(max_length=20)
    aux_ref_audio_paths: list[str] = Field(default=[], max_length=MAX_REFERENCES - 1)
    prompt_text: str = Field(default="", max_length=400)
    top_k: int = 15
    top_p: float = 1
    temperature: float = 1
    text_split_method: Literal["cut0", "cut1", "cut2", "cut3", "cut4", "cut5"] = "cut5"
    batch_size: int = Field(default=1, ge=1, le=200)
    batch_threshold: float = 0.75
    split_bucket: bool = True
    speed_factor: float = 1.0
    fragment_interval: float = Field(default=0.3, ge=0, le=5)
    seed: int = -1
    media_type: Literal["wav", "raw", "ogg", "aac"] = "wav"
    streaming_mode: bool | Annotated[int, Field(ge=0, le=3)] = False
    parallel_infer: bool = True
    repetition_penalty: float = 1.35
    overlap_length: int = Field(default=2, ge=1, le=100)
    min_chunk_length: int = Field(default=16, ge=1, le=1000)
    sample_steps: int = 32
    super_sampling: bool = False


@router.get("/tts", response_class=Response, responses=AUDIO)
async def tts_get(query: Annotated[TtsRequest, Query()], request: Request) -> Response:
    """Speak a text; parameters in the query."""
    return await tts(query, request)


@router.post("/tts", response_class=Response, responses=AUDIO)
async def tts_post(body: TtsRequest, request: Request) -> Response:
    """Speak a text; parameters as JSON."""
    return await tts(body, request)


async def tts(asked: TtsRequest, request: Request) -> Response:
    """Batching is done across requests here, so batch_size, batch_threshold, split_bucket and
    parallel_infer change nothing; sample_steps and super_sampling belong to v3.
    """
    service = service_of(request)
    limits = service.config.limits
    text = check_text(asked.text, longest=limits.text_characters, param="text")
    language = _language(asked.text_lang, "text_lang")
    spoken_in = _language(asked.prompt_lang, "prompt_lang")
    prompt = asked.prompt_text.strip()
    voice = await asyncio.to_thread(
        service.voices.find_references,
        [asked.ref_audio_path, *asked.aux_ref_audio_paths],
        text=prompt,
        language=spoken_in,
    )
    mode = int(asked.streaming_mode)
    options = options_from(
        service.talker.options,
        longest=limits.reply_seconds,
        seed=asked.seed,
        top_k=asked.top_k,
        top_p=asked.top_p,
        temperature=asked.temperature,
        repetition_penalty=asked.repetition_penalty,
        speed=asked.speed_factor,
        **_chunks(mode, asked),
    )
    parts = plain_parts(
        text,
        language=language,
        voice=voice,
        method=asked.text_split_method,
        pause=asked.fragment_interval,
    )
    plan = Plan(tuple(parts), options, "tokens" if mode > 1 else "whole")
    facts = provenance(plan, model=service.model_name, request_id=request_id(request))
    job = service.engine.submit(work_of(plan, service.voice_sessions), name="tts")
    return SpeechResponse(service, job, form=asked.media_type, streamed=mode > 0, facts=facts)


def _chunks(mode: int, asked: TtsRequest) -> dict[str, int]:
    """Modes 2 and 3 stream tokens: 2 in our own chunks, 3 in chunks of `min_chunk_length`."""
    if mode != 3:
        return {}
    size = asked.min_chunk_length
    return {"first_chunk_tokens": size, "chunk_tokens": size, "lookahead_tokens": 2}


def _language(given: str, param: str) -> str:
    found = SPOKEN.get(given.lower())
    if found is None:
        known = ", ".join(SPOKEN)
        message = f"{param} {given[:20]!a} is not supported; there are {known}"
        raise ApiError(400, "unsupported_language", message, param=param)
    return found


def _gone(path: str, instead: str) -> None:
    @router.api_route(path, methods=["GET", "POST"], include_in_schema=False)
    async def gone() -> None:
        raise ApiError(405, "gone", f"{path} is not offered: {instead}", headers={"Allow": ""})


for _path, _instead in GONE.items():
    _gone(_path, _instead)
