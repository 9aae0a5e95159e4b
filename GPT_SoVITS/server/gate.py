"""The door: request ids, who may come in, how large and slow a body may be, one log line each.

Plain ASGI, so that streams pass through as they are.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
import uuid
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.errors import ApiError, as_api_error, error_response
from GPT_SoVITS.server.logs import event
from GPT_SoVITS.server.metrics import Metrics

REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
OPEN_PATHS = {"/", "/healthz", "/readyz"}
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1", "testserver"}
POLICY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Gate:
    """Wraps the application."""

    def __init__(self, app: ASGIApp, config: ServeConfig, metrics: Metrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one socket's life."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers, started = Headers(scope=scope), time.monotonic()
        given = headers.get("x-request-id", "")
        number = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope["state"] = dict(scope.get("state") or {}) | {"request_id": number}
        status = 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                found = MutableHeaders(scope=message)
                found["x-request-id"] = number
                for name, value in POLICY.items():
                    found.setdefault(name, value)
            await send(message)

        try:
            self._admit(scope, headers)
            inner = receive if scope["type"] == "websocket" else self._limited(receive, headers)
            await self._app(scope, inner, marked)
        except Exception as error:  # the last place where an error can still become a response
            told = as_api_error(error)
            if told is not error:
                event("request_failed", level=40, error=error, request_id=number)
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008, "reason": told.code})
            elif not status:
                await error_response(Request(scope), told)(scope, receive, marked)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.requests.labels(route, str(status or scope["type"])).inc()
            event(
                "request",
                request_id=number,
                method=scope.get("method", "WS"),
                path=scope["path"][:200],
                status=status,
                ms=round(1000 * (time.monotonic() - started), 1),
            )

    def _admit(self, scope: Scope, headers: Headers) -> None:
        """Who may come in: the token's owner; without a token, this machine's own programs."""
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin and origin != "null" and urlsplit(origin).netloc != host:
            raise ApiError(403, "foreign_origin", "requests from other web sites are refused")
        if not self._config.token:
            if self._config.loopback and urlsplit("//" + host).hostname not in LOCAL_NAMES:
                raise ApiError(403, "foreign_host", "this server answers to localhost only")
            return
        if scope["path"] in OPEN_PATHS:
            return
        given = headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._config.token}".encode()):
            raise ApiError(
                401,
                "unauthorized",
                "send the header Authorization: Bearer <token>",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _limited(self, receive: Receive, headers: Headers) -> Receive:
        """`receive` that counts bytes and waits neither for a piece of the body nor for all of it
        longer than the limits say."""
        most = int(self._config.limits.body_mb * 1e6)
        too_large = ApiError(
            413,
            "body_too_large",
            f"the body is larger than {self._config.limits.body_mb:g} MB",
            headers={"Connection": "close"},
        )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:18]) > most:
            raise too_large
        size, complete, limits = 0, False, self._config.limits
        until = time.monotonic() + limits.request_seconds

        async def limited() -> Message:
            nonlocal size, complete
            if complete:
                return await receive()
            left = min(limits.header_seconds, until - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), max(0.0, left))
            except TimeoutError:
                closing = {"Connection": "close"}
                raise ApiError(
                    408, "slow_body", "the body came too slowly", headers=closing
                ) from None
            size += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size > most:
                raise too_large
            return message

        return limited
