"""uvicorn with a door for slow clients: headers in time, few connections, a graceful end."""

from __future__ import annotations

import asyncio
import logging
import signal
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from GPT_SoVITS.server.config import LimitsConfig, ServeConfig
from GPT_SoVITS.server.logs import event
from GPT_SoVITS.server.service import Service

MAX_HEADER_BYTES = 32 * 1024
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


def protocol(limits: LimitsConfig) -> type[H11Protocol]:
    """h11 with a limit on the time until headers are complete, and on open connections."""

    class PatientProtocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.close()
                return
            self._wait_for_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._enough()
            super().connection_lost(exc)

        def handle_events(self) -> None:
            super().handle_events()
            if self.cycle is not None and not self.cycle.response_complete:
                self._enough()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._wait_for_headers()

        def _wait_for_headers(self) -> None:
            self._enough()
            self._timer = self.loop.call_later(limits.header_seconds, self._too_slow)

        def _enough(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _too_slow(self) -> None:
            if not self.transport.is_closing():
                self.transport.close()

    return PatientProtocol


class Server(uvicorn.Server):
    """Says that it is not ready before it stops listening."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT: no new work; replies under way may end. The second SIGINT is final.

        The signal is not raised again afterwards, as uvicorn would: a stop that was asked for is
        exit code 0.
        """
        self._service.engine.draining = True
        event("stopping", signal=sig)
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def server_of(app: FastAPI, config: ServeConfig) -> Server:
    """The server, not started."""
    logging.getLogger("uvicorn.access").disabled = True  # the gate writes its own line
    settings = uvicorn.Config(
        app,
        host=config.host,
        port=config.chosen_port,
        http=protocol(config.limits),
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=20,
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=int(config.limits.header_seconds) or 1,
        timeout_graceful_shutdown=round(config.limits.drain_seconds),
        backlog=2048,
    )
    return Server(settings, app.state.service)
