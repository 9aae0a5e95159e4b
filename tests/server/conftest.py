"""A server on a free port of this machine, with the tiny talker, for a module or a test."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.server.app import create_app
from GPT_SoVITS.server.config import LimitsConfig, ServeConfig
from GPT_SoVITS.server.run import server_of
from GPT_SoVITS.server.service import Service, Watermark
from tests.tiny_talker import write_tiny_talker

TEXT = "Your parcel left the warehouse this morning."


@dataclasses.dataclass
class Live:
    """A running server as a test sees it."""

    url: str
    service: Service
    http: httpx.Client

    def samples(self, **asked: Any) -> bytes:
        """The 16-bit samples of one reply, seed 1 where none is asked for."""
        body = {"input": TEXT, "voice": "anna", "response_format": "pcm", "seed": 1, **asked}
        response = self.http.post("/v1/audio/speech", json=body)
        assert response.status_code == 200, response.text
        return response.content

    def metric(self, name: str) -> float:
        """The sum over a metric's lines."""
        lines = self.http.get("/metrics").text.splitlines()
        named = [line for line in lines if line.startswith((name + " ", name + "{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in named)


def asked(**given: Any) -> dict[str, Any]:
    """The body of a speech request."""
    return {"input": TEXT, "voice": "anna", "seed": 1, "response_format": "pcm", **given}


class Brake:
    """Holds decoding before its `after`-th step until released, so that no test races it."""

    def __init__(self) -> None:
        self.after = 0
        self.reached = threading.Event()
        """Set once a step is held."""
        self._steps, self._released = 0, threading.Event()

    def hold(self) -> None:
        """Called by the decoding thread before each step."""
        self._steps += 1
        if self._steps > self.after:
            self.reached.set()
            assert self._released.wait(120), "a test forgot to release the brake"

    def release(self) -> None:
        """Decode on, to the end."""
        self._released.set()


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until something is so; the time is only for what never comes."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Brake]:
    """Every server of the test decodes no further than `brake.after` steps until released."""
    made, step = Brake(), SharedDecoding._step

    def held(self: SharedDecoding) -> None:
        made.hold()
        step(self)

    monkeypatch.setattr(SharedDecoding, "_step", held)
    yield made
    made.release()


@pytest.fixture(scope="session")
def talker_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny talker's folder."""
    return write_tiny_talker(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="session")
def talker(talker_folder: Path) -> Talker:
    """The tiny talker, replies of at most 1.2 s."""
    talker = Talker.load(talker_folder, device="cpu", precision="fp32")
    talker.encode_text("Hello. 你好。", "auto")  # dictionaries load here, not in a request
    talker.options = GenerationOptions(precision="fp32", max_seconds=1.2)
    return talker


Start = Callable[..., contextlib.AbstractContextManager[Live]]


@pytest.fixture(scope="session")
def start(talker: Talker) -> Start:
    """`with start(compat=…, limits={…}) as live:` a server of its own."""

    @contextlib.contextmanager
    def started(
        *,
        limits: dict[str, Any] | None = None,
        model: Talker | None = None,
        watermark: Watermark | None = None,
        **given: Any,
    ) -> Iterator[Live]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        known = {"reply_seconds": 1.2, "drain_seconds": 5.0, **(limits or {})}
        config = ServeConfig(port=port, limits=LimitsConfig(**known), **given)
        app = create_app(model or talker, config, watermark=watermark)
        server = server_of(app, config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_for(lambda: server.started)
        headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        url = f"http://127.0.0.1:{port}"
        try:
            once = httpx.Limits(max_keepalive_connections=0)  # none idles until it is closed
            with httpx.Client(base_url=url, headers=headers, timeout=60, limits=once) as http:
                yield Live(url, app.state.service, http)
        finally:
            server.should_exit = True
            thread.join(20)
            app.state.service.close()

    return started


@pytest.fixture(scope="session")
def endless(talker: Talker) -> Talker:
    """The tiny talker, which here speaks for 4 s, 100 tokens, if nobody stops it."""
    twin = copy.copy(talker)
    twin.options = GenerationOptions(precision="fp32", max_seconds=4.0, eos_guard=99)
    return twin


@pytest.fixture(scope="module")
def live(start: Start) -> Iterator[Live]:
    """A server with the default APIs."""
    with start() as running:
        yield running
