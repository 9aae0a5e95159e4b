"""Every refusal and failure as JSON with a request id; a status never lies.

    {"error": {"message": …, "type": …, "code": …, "param": …, "request_id": …}, "message": …}

The outer `message` is where api_v2's clients look. Texts of unexpected errors stay in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from GPT_SoVITS.audio.io import AudioError
from GPT_SoVITS.dialogue import DialogueError
from GPT_SoVITS.inference.voice import VoiceError
from GPT_SoVITS.text.errors import TextError


class ApiError(HTTPException):
    """What a client is told: an HTTP status, a code for programs, a message for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, headers)
        self.code, self.param = code, param


def voice_not_found() -> ApiError:
    """The one answer for a voice that is absent, forbidden or malformed."""
    return ApiError(404, "voice_not_found", "no such voice; GET /v1/voices lists them")


def overloaded(reason: str, *, retry_after: int) -> ApiError:
    """Come back later."""
    headers = {"Retry-After": str(max(1, retry_after))}
    return ApiError(429, "overloaded", reason, headers=headers)


def as_api_error(error: BaseException) -> ApiError:
    """What the client is told about an exception of the layers below."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, TextError | DialogueError):
        return ApiError(422, "invalid_text", str(error), param="text")
    if isinstance(error, VoiceError):
        return ApiError(422, "invalid_voice", "the voice's reference recording cannot be used")
    if isinstance(error, AudioError):
        return ApiError(422, "invalid_audio", "the recording cannot be used", param="audio")
    if isinstance(error, OSError) and error.errno == 28:
        return ApiError(507, "storage_full", "no space left to keep the reply; nothing was kept")
    return ApiError(500, "internal_error", "the reply failed; the server's log has the reason")


def error_response(request: Request, error: ApiError) -> JSONResponse:
    """The JSON of an error."""
    state = request.scope.get("state", {})
    kind = "invalid_request_error" if error.status_code < 500 else "server_error"
    if error.status_code == 429:
        kind = "rate_limit_error"
    body = {
        "error": {
            "message": error.detail,
            "type": kind,
            "code": error.code,
            "param": error.param,
            "request_id": state.get("request_id", ""),
        },
        "message": error.detail,
    }
    headers = dict(error.headers or {})
    return JSONResponse(body, status_code=error.status_code, headers=headers)


def validation_error(errors: list[Mapping[str, Any]]) -> ApiError:
    """Pydantic's findings -> one line that names every field; what was sent is not repeated."""
    named, first = [], None
    for found in errors[:8]:
        place = [str(part) for part in found.get("loc", ()) if part not in ("body", "query")]
        name = ".".join(place) or "body"
        first = first or name
        named.append(f"{name}: {found.get('msg', 'invalid')}")
    message = "; ".join(named).encode("utf-8", "replace").decode()
    return ApiError(422, "invalid_request", message[:1000], param=first and first[:100])
