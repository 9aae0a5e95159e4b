"""Many at once, and what breaks: every reply is its own, the next request is always fine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from GPT_SoVITS.inference.talker import Talker
from tests.server.conftest import Brake, Live, Start, asked, wait_for
from tests.server.test_dialogues import recording

VOICES = 4


@pytest.fixture
def held(start: Start, endless: Talker, brake: Brake) -> Iterator[Live]:
    """A server that decodes when the brake lets it; two replies at a time, one may wait."""
    limits = {"running": 2, "queue": 1, "reply_seconds": 4.0}
    with start(model=endless, limits=limits) as live:
        yield live
        brake.release()


def idle(live: Live) -> bool:
    return not live.service.engine._active and not live.service.engine._queue


def busy(live: Live, *, active: int, waiting: int = 0) -> bool:
    engine = live.service.engine
    return len(engine._active) == active and len(engine._queue) == waiting


def told_to_stop(live: Live) -> bool:
    return all(job.stop.is_set() for job in live.service.engine._active)


@contextlib.contextmanager
def posted(live: Live, **given: Any) -> Iterator[socket.socket]:
    """A client that asked and waits; leaving hangs up."""
    body = json.dumps(asked(**given)).encode()
    head = "POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json"
    address = ("127.0.0.1", int(live.url.rsplit(":", 1)[1]))
    with socket.create_connection(address) as one:
        one.sendall(f"{head}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        yield one


def test_many_at_once_with_four_voices_equal_one_by_one(live: Live):
    names = ["anna"]
    for number in range(1, VOICES):
        file = {"audio": ("v.wav", recording(1.5, 100.0 + 60 * number))}
        given = {"consent": "true", "text": "Good evening." if number % 2 else ""}
        names.append(live.http.post("/v1/voices", files=file, data=given).json()["id"])
    bodies = [
        asked(voice=names[n % VOICES], seed=n, stream=n % 3 == 0, speed=1.0 + 0.1 * (n % 2))
        for n in range(12)
    ]
    alone = [live.samples(**body) for body in bodies]
    with ThreadPoolExecutor(64) as pool:
        together = list(pool.map(lambda n: live.samples(**bodies[n % 12]), range(64)))
    assert len(set(alone)) == 12
    for n, reply in enumerate(together):
        assert reply == alone[n % 12], bodies[n % 12]


def test_a_full_queue_is_429_and_nothing_hangs(held: Live, brake: Brake):
    with ThreadPoolExecutor(3) as pool:
        taken = [
            pool.submit(held.http.post, "/v1/audio/speech", json=asked(stream=False))
            for _ in range(3)
        ]
        wait_for(lambda: busy(held, active=2, waiting=1))
        for _ in range(5):
            answer = held.http.post("/v1/audio/speech", json=asked(stream=False))
            assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["type"] == "rate_limit_error"
        brake.release()
        assert [one.result().status_code for one in taken] == [200] * 3
    assert held.metric("gpt_sovits_rejects_total") == 5


@pytest.mark.parametrize("stream", [True, False])
def test_when_the_client_goes_decoding_stops_within_a_step(held: Live, brake: Brake, stream: bool):
    brake.after = 60 if stream else 0  # of 100 steps: enough for a first chunk
    with posted(held, stream=stream) as client:
        if stream:
            client.settimeout(60)
            assert b" 200 " in client.recv(4096)
        assert brake.reached.wait(60) and busy(held, active=1)
    wait_for(lambda: told_to_stop(held))
    steps = held.service.engine.steps
    brake.release()
    wait_for(lambda: idle(held))
    assert held.service.engine.steps - steps <= 1
    assert held.metric("gpt_sovits_cancelled_total") == 1


def test_a_request_that_waits_leaves_the_queue_with_its_client(held: Live, brake: Brake):
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(held.http.post, "/v1/audio/speech", json=asked(stream=False))
        wait_for(lambda: busy(held, active=2))
        with posted(held):
            wait_for(lambda: busy(held, active=2, waiting=1))
        wait_for(lambda: busy(held, active=2))
        brake.release()


def test_a_reply_over_the_time_limit_is_504(start: Start, endless: Talker, brake: Brake):
    with start(model=endless, limits={"request_seconds": 0.3, "reply_seconds": 4.0}) as live:
        answer = live.http.post("/v1/audio/speech", json=asked(stream=False))
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "timeout"
        brake.release()
        wait_for(lambda: idle(live))


def test_slow_senders_do_not_keep_others_waiting(start: Start):
    with start(limits={"header_seconds": 1.0}) as live:
        address = ("127.0.0.1", int(live.url.rsplit(":", 1)[1]))
        expected, sockets = live.samples(), []
        try:
            for number in range(200):
                one = socket.create_connection(address)
                head = b"POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\n"
                if number % 2:  # headers complete, the body never is
                    head += b"content-type: application/json\r\ncontent-length: 900\r\n\r\n{"
                one.sendall(head)
                sockets.append(one)
            assert live.samples() == expected
            assert live.http.get("/healthz").status_code == 200
            for one in sockets:  # each is answered 408 or closed
                one.settimeout(60)
                assert b"200 OK" not in one.recv(4096)
        finally:
            for one in sockets:
                one.close()
        wait_for(lambda: idle(live))


def test_a_body_in_drips_is_ended_by_the_request_limit(start: Start):
    """Every byte comes in time; all of them never would."""
    with start(limits={"header_seconds": 30.0, "request_seconds": 0.5}) as live:
        head = b"POST /v1/audio/speech HTTP/1.1\r\nhost: localhost\r\ncontent-length: 90000\r\n"
        address = ("127.0.0.1", int(live.url.rsplit(":", 1)[1]))
        with socket.create_connection(address) as one:
            one.sendall(head + b"content-type: application/json\r\n\r\n{")
            one.settimeout(0.02)
            answer = b""
            for _ in range(3000):
                with contextlib.suppress(TimeoutError):
                    answer = one.recv(4096)
                    break
                one.sendall(b" ")
        assert b" 408 " in answer.split(b"\r\n")[0]


def test_health_answers_while_replies_are_made(held: Live, brake: Brake):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(held.http.post, "/v1/audio/speech", json=asked()) for _ in range(2)]
        wait_for(lambda: busy(held, active=2))
        for _ in range(6):
            assert held.http.get("/healthz").status_code == 200
        brake.release()
        assert [future.result().status_code for future in futures] == [200] * 2


def test_replies_asked_for_together_share_their_steps(held: Live, brake: Brake):
    with ThreadPoolExecutor(2) as pool:
        futures = [
            pool.submit(held.http.post, "/v1/audio/speech", json=asked(stream=False, seed=n))
            for n in range(2)
        ]
        decoding = held.service.engine.served("")[1]
        wait_for(lambda: len(decoding._replies) == 2)
        brake.release()
        assert [future.result().status_code for future in futures] == [200] * 2
    tokens = held.metric("gpt_sovits_semantic_tokens_total")
    assert tokens == 200 and held.service.engine.steps <= 101, "two tokens a step, but for a start"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sigterm_lets_streams_end_and_refuses_new_work(talker_folder: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "GPT_SoVITS", "serve", "--model", str(talker_folder)]
    command += ["--port", str(port), "--limits.reply_seconds", "5"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
    lines: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or []))
    reader.start()
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: up(url) or process.poll() is not None, 240)
        with httpx.Client(base_url=url, timeout=60) as http:
            body = asked(response_format="wav", stream=True)
            with http.stream("POST", "/v1/audio/speech", json=body) as answer:
                pieces = answer.iter_bytes()
                data = next(pieces)
                process.send_signal(signal.SIGTERM)
                data += b"".join(pieces)  # raises where the stream is cut off
        assert process.wait(60) == 0
        assert len(data) > 44 + 2 * 32000 and data[:4] == b"RIFF"
    finally:
        process.kill()
        reader.join(10)
    assert any('"event": "stopping"' in line for line in lines)


def up(url: str) -> bool:
    try:
        return httpx.get(url + "/readyz").status_code == 200
    except httpx.HTTPError:
        return False
