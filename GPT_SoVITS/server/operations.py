"""For those who run the server: health, metrics, and what only the token's owner may do."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.service import service_of

router = APIRouter(tags=["operations"])
PAGE = Path(__file__).parent / "static" / "index.html"


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives and its event loop turns."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """The model is loaded and requests are taken; 503 while stopping. Raises `ApiError`."""
    if not service_of(request).engine.ready:
        raise ApiError(503, "not_ready", "the server is stopping", headers={"Retry-After": "5"})
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """For Prometheus."""
    media = "text/plain; version=0.0.4; charset=utf-8"
    return Response(service_of(request).metrics.text(), media_type=media)


@router.post("/admin/voices/reload")
async def reload_voices(request: Request) -> dict[str, Any]:
    """Read the voice packs again; requests under way keep the voices they have."""
    service = service_of(request)
    _owner(request)
    refused = await asyncio.to_thread(service.voices.reload)
    packs = [pack.name for pack in service.voices.all() if pack.kind == "pack"]
    return {"voices": packs, "refused": sorted(refused)}


@router.post("/admin/drain")
async def drain(request: Request) -> dict[str, str]:
    """Take no further work and let running replies end; then stop the process with SIGTERM."""
    _owner(request)
    service_of(request).engine.draining = True
    return {"status": "draining"}


@router.get("/", response_class=Response, include_in_schema=False)
async def page() -> Response:
    """A page to try it."""
    nonce = secrets.token_urlsafe(16)
    text = PAGE.read_text(encoding="utf-8").replace("{{nonce}}", nonce)
    policy = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    policy += "connect-src 'self'; media-src blob:; base-uri 'none'; frame-ancestors 'none'"
    headers = {"content-security-policy": policy}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


def _owner(request: Request) -> None:
    """Administration needs a token even on loopback; the gate has compared it."""
    if not service_of(request).config.token:
        raise ApiError(403, "token_needed", "start the server with a token to administer it")
