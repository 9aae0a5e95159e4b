"""The application: routes by `compat`, one way of failing, the gate around all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import GPT_SoVITS
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.server import api_v2, character_list, dialogues, duplex, openai_api, operations
from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.errors import ApiError, error_response, validation_error
from GPT_SoVITS.server.gate import Gate
from GPT_SoVITS.server.service import Service, Watermark

ABOUT = """A conversational voice: OpenAI's speech API, GPT-SoVITS's api_v2, dialogues with history.
Every error is JSON with a request id; replies carry their seed and provenance in headers."""


def create_app(
    talker: Talker, config: ServeConfig, *, watermark: Watermark | None = None
) -> FastAPI:
    """An application that speaks with `talker`; its threads end with its lifespan."""
    service = Service(talker, config, watermark=watermark)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="GPT-SoVITS dialogue server",
        version=GPT_SoVITS.__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.include_router(operations.router)
    app.include_router(dialogues.router)
    app.include_router(duplex.router)
    if "openai" in config.offered:
        app.include_router(openai_api.router)
    if "api_v2" in config.offered:
        app.include_router(api_v2.router)
    if "character_list" in config.offered:
        app.include_router(character_list.router)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Gate, config=config, metrics=service.metrics)
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    if not isinstance(found, ApiError):
        code = {404: "not_found", 405: "method_not_allowed"}.get(found.status_code, "bad_request")
        found = ApiError(found.status_code, code, str(found.detail), headers=found.headers)
    return error_response(request, _as_published(request, found))


async def _invalid(request: Request, error: Exception) -> Response:
    told = validation_error(list(cast(RequestValidationError, error).errors()))
    return error_response(request, _as_published(request, told))


def _as_published(request: Request, error: ApiError) -> ApiError:
    """`/tts` refuses with the status its clients know."""
    if request.url.path == "/tts" and error.status_code == 422:
        error.status_code = 400
    return error
