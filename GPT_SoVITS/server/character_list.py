"""The character-list API of py-gpt-tts-server: `/character_list`, and `/tts` with its aliases.

Every alias means one parameter; an unknown one is ignored, as its clients expect. Errors come with
their own status, never with 200.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from GPT_SoVITS.dialogue import LANGUAGES
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
from GPT_SoVITS.text.cuts import LONGEST_PIECE
from GPT_SoVITS.text.ssml import RATES

router = APIRouter(tags=["character_list"])
ALIASES = {
    "text": ("text", "txt", "tex", "t"),
    "language": ("text_language", "lang", "language", "lan", "text_lang", "xml:lang"),
    "character": (
        "character",
        "cha_name",
        "spk",
        "speaker",
        "role",
        "model_name",
        "cha",
        "name",
    ),
    "emotion": ("emotion", "style", "character_emotion"),
    "speed": ("speed", "speed_factor", "rate", "spd"),
    "ref_audio_path": ("ref_audio_path", "ref_audio", "ref_path"),
    "prompt_text": ("prompt_text", "ref_text"),
    "prompt_language": ("prompt_language", "ref_lang"),
    "batch_size": ("batch_size",),
    "top_k": ("top_k",),
    "top_p": ("top_p",),
    "temperature": ("temperature",),
    "repetition_penalty": ("repetition_penalty",),
    "cut_method": ("cut_method", "cut"),
    "max_cut_length": ("max_cut_length",),
    "seed": ("seed",),
    "stream": ("stream", "streaming"),
    "format": ("format",),
    "save_temp": ("save_temp", "save"),
    "task_type": ("task_type", "text_type"),
    "ssml": ("ssml",),
}
SPOKEN = {code: code for code in LANGUAGES} | {"multilingual": "auto", "多语种混合": "auto"}
SPOKEN |= {"中文": "zh", "中英混合": "zh", "英文": "en"}
CUTS = {f"cut{number}": f"cut{number}" for number in range(6)}
CUTS |= {"auto_cut": "meaning", "meaning": "meaning"}
MEDIA = ("wav", "mp3", "ogg", "flac", "aac")
CUT_LENGTHS = (5, 1000)
TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off", ""}
_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
    for names in ALIASES.values()
    for name in names
]
_SCHEMA = {"parameters": _PARAMETERS}
_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {FORMATS[name].media_type: {} for name in MEDIA}, "description": "the speech"}
}


@router.get("/character_list")
async def character_list(request: Request) -> dict[str, list[str]]:
    """Every character with its emotions."""
    packs = [pack for pack in service_of(request).voices.all() if pack.kind != "upload"]
    return {pack.name: list(pack.emotions) for pack in packs}


@router.get("/tts", response_class=Response, responses=_AUDIO, openapi_extra=_SCHEMA)
async def tts_get(request: Request) -> Response:
    """Speak a text; parameters in the query."""
    return await _tts(dict(request.query_params), request)


@router.post(
    "/tts",
    response_class=Response,
    responses=_AUDIO,
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}
    },
)
async def tts_post(request: Request) -> Response:
    """Speak a text; parameters as JSON, or in the query. Raises `ApiError`."""
    values: Any = {}
    if data := await request.body():
        try:
            values = json.loads(data)
        except (ValueError, RecursionError):
            raise ApiError(400, "invalid_json", "the body is no JSON object") from None
        if not isinstance(values, dict):
            raise ApiError(400, "invalid_json", "the body is no JSON object")
    return await _tts(dict(request.query_params) | values, request)


def named(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters by their first names; of two aliases the one listed first wins.

    Raises `ApiError`.
    """
    found = {}
    for name, aliases in ALIASES.items():
        for alias in aliases:
            if values.get(alias) is not None:
                if not isinstance(values[alias], str | int | float | bool):
                    raise ApiError(
                        422, "invalid_request", f"{alias}: is no plain value", param=alias
                    )
                found[name] = _clean(str(values[alias]), alias)
                break
    return found


async def _tts(values: Mapping[str, Any], request: Request) -> Response:
    service, given = service_of(request), named(values)
    if "ssml" in given:
        given |= {"text": given["ssml"], "task_type": "ssml"}
    limits = service.config.limits
    if "text" not in given:
        raise ApiError(422, "invalid_request", "text is missing", param="text")
    if given.get("ref_audio_path"):
        message = "recordings are registered first (POST /v1/voices); then name the character"
        raise ApiError(422, "unsupported", message, param="ref_audio_path")
    text = check_text(given["text"], longest=limits.text_characters, param="text")
    language = _choice(given, "language", SPOKEN, "auto")
    voice = service.voices.find(given.get("character"), given.get("emotion"))
    form = _choice(given, "format", {name: name for name in MEDIA}, "wav")
    streamed = _flag(given, "stream")
    options = options_from(
        service.talker.options,
        longest=limits.reply_seconds,
        speed=speed_of(given["speed"]) if "speed" in given else None,
        top_k=_number(given, "top_k", whole=True),
        top_p=_number(given, "top_p"),
        temperature=_number(given, "temperature"),
        repetition_penalty=_number(given, "repetition_penalty"),
        seed=_number(given, "seed", whole=True),
    )
    if language == "auto":
        language = voice.language
    if given.get("task_type") == "ssml" or text.lstrip().startswith("<speak"):
        parts = ssml_parts(text, language=language, voice=voice, registry=service.voices)
    else:
        method = _choice(given, "cut_method", CUTS, "meaning")
        parts = plain_parts(
            text, language=language, voice=voice, method=method, longest=_cut_length(given)
        )
    plan = Plan(tuple(parts), options, "tokens" if streamed else "whole")
    facts = provenance(plan, model=service.model_name, request_id=request_id(request))
    job = service.engine.submit(work_of(plan, service.voice_sessions), name="character")
    headers = {"x-emotion": voice.emotion.encode("ascii", "backslashreplace").decode()}
    return SpeechResponse(service, job, form=form, streamed=streamed, facts=facts, headers=headers)


def _cut_length(given: Mapping[str, str]) -> int:
    """Longest piece in hanzi, a Latin letter a third; of the method `auto_cut` alone."""
    length = _number(given, "max_cut_length", whole=True)
    if length is None:
        return LONGEST_PIECE
    low, high = CUT_LENGTHS
    if not low <= length <= high:
        message = f"max_cut_length: must be from {low} to {high}"
        raise ApiError(422, "invalid_request", message, param="max_cut_length")
    return int(length)


def speed_of(given: str) -> float:
    """A factor, a percentage (+20% is 1.2) or a word (slow)."""
    given = given.strip().lower()
    if given in RATES:
        return RATES[given]
    signed = given.startswith(("+", "-"))
    number = _float(given.removesuffix("%"), "speed")
    if not given.endswith("%"):
        return number
    return 1 + number / 100 if signed else number / 100


def _clean(text: str, name: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ApiError(422, "invalid_request", f"{name}: is no Unicode text", param=name) from None
    return text


def _choice(given: Mapping[str, str], name: str, known: Mapping[str, str], default: str) -> str:
    value = given.get(name, "").strip().lower() or default
    if value not in known:
        message = f"{name} {value[:20]!a} is not supported; there are {', '.join(known)}"
        raise ApiError(422, "invalid_request", message, param=name)
    return known[value]


def _flag(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "").strip().lower()
    if value not in TRUE | FALSE:
        raise ApiError(422, "invalid_request", f"{name}: must be true or false", param=name)
    return value in TRUE


def _float(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ApiError(422, "invalid_request", f"{name}: must be a number", param=name)
    return number


def _number(given: Mapping[str, str], name: str, *, whole: bool = False) -> float | int | None:
    if not given.get(name, "").strip():
        return None
    number = _float(given[name], name)
    if whole and number != int(number):
        raise ApiError(422, "invalid_request", f"{name}: must be a whole number", param=name)
    return int(number) if whole else number
