"""Many at once, and what breaks: every reply is its own, the next request is always fine."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from GPT_SoVITS.inference.batching import SharedDecoding
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.s2_vits.streaming import ReplyRenderer
from GPT_SoVITS.server.archive import Archive
from tests.server.conftest import TEXT, Live, Start
from tests.server.test_dialogues import recording

VOICES = 4


@pytest.fixture(scope="module")
def endless(talker: Talker) -> Talker:
    """The tiny talker, which here speaks for 4 s if nobody stops it."""
    twin = copy.copy(talker)
    twin.options = GenerationOptions(precision="fp32", max_seconds=4.0, eos_guard=99)
    return twin


@pytest.fixture
def slow(start: Start, endless: Talker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A server whose replies take a second at least; two at a time, one may wait."""
    step = SharedDecoding._step

    def slowly(self: SharedDecoding) -> None:
        time.sleep(0.01)
        step(self)

    monkeypatch.setattr(SharedDecoding, "_step", slowly)
    limits = {"running": 2, "queue": 1, "reply_seconds": 4.0}
    with start(model=endless, limits=limits) as live:
        yield live


def asked(**given: Any) -> dict[str, Any]:
    return {"input": TEXT, "voice": "anna", "seed": 1, "response_format": "pcm", **given}


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def idle(live: Live) -> bool:
    return not live.service.engine._active and not live.service.engine._queue


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
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda n: live.samples(**bodies[n % 12]), range(24)))
    assert len(set(alone)) == 12
    for n, reply in enumerate(together):
        assert reply == alone[n % 12], bodies[n % 12]


def test_a_full_queue_is_429_and_nothing_hangs(slow: Live):
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(
                lambda n: slow.http.post("/v1/audio/speech", json=asked(stream=False)), range(8)
            )
        )
    counts = {status: [a.status_code for a in answers].count(status) for status in (200, 429)}
    assert counts[200] + counts[429] == 8 and counts[200] >= 3 and counts[429] >= 1
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["error"]["type"] == "rate_limit_error"
    assert slow.metric("gpt_sovits_rejects_total") == counts[429]


@pytest.mark.parametrize("stream", [True, False])
def test_when_the_client_goes_decoding_stops_within_a_step(slow: Live, stream: bool):
    body = asked(stream=stream)
    if stream:
        with slow.http.stream("POST", "/v1/audio/speech", json=body) as answer:
            next(answer.iter_bytes())
    else:
        with pytest.raises(httpx.TimeoutException):
            slow.http.post("/v1/audio/speech", json=body, timeout=0.4)
    wait_for(lambda: slow.metric("gpt_sovits_cancelled_total") >= 1)
    steps = slow.service.engine.steps
    time.sleep(0.2)
    assert slow.service.engine.steps - steps <= 1
    wait_for(lambda: idle(slow))


def test_a_request_that_waits_leaves_the_queue_with_its_client(slow: Live):
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(slow.http.post, "/v1/audio/speech", json=asked(stream=False))
        wait_for(lambda: len(slow.service.engine._active) == 2)
        with pytest.raises(httpx.TimeoutException):
            slow.http.post("/v1/audio/speech", json=asked(), timeout=0.3)
        wait_for(lambda: not slow.service.engine._queue)


def test_a_reply_over_the_time_limit_is_504(start: Start, endless: Talker):
    with start(model=endless, limits={"request_seconds": 0.3, "reply_seconds": 4.0}) as live:
        answer = live.http.post("/v1/audio/speech", json=asked(stream=False))
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "timeout"
        wait_for(lambda: idle(live))


PLACES = {
    "s1": "GPT_SoVITS.s1_gpt.decode.Decoder.logits",
    "s1 prompt": "GPT_SoVITS.s1_gpt.decode.Decoder.prefill",
    "s2": "GPT_SoVITS.s2_vits.streaming.ReplyRenderer.render",
    "frontend": "GPT_SoVITS.inference.talker.Talker.encode_text",
}


BREAKS = [(place, error) for place in PLACES for error in (RuntimeError, MemoryError)]
BREAKS += [("s2", SystemExit), ("frontend", SystemExit)]  # a worker thread is asked to end


@pytest.mark.parametrize(("place", "error"), BREAKS)
def test_a_broken_model_is_500_and_the_next_request_is_fine(
    live: Live, monkeypatch: pytest.MonkeyPatch, place: str, error: type[BaseException]
):
    def broken(*_: Any, **__: Any) -> None:
        raise error("secret detail of /some/path")

    expected = live.samples()
    for stream in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(PLACES[place], broken)
            answer = live.http.post("/v1/audio/speech", json=asked(stream=stream))
        assert answer.status_code == 500 and "secret" not in answer.text
        assert answer.json()["error"]["request_id"]
        assert live.samples() == expected


@pytest.mark.parametrize("form", ["pcm", "wav", "mp3"])
def test_a_stream_that_breaks_is_never_complete(
    live: Live, monkeypatch: pytest.MonkeyPatch, form: str
):
    render, calls = ReplyRenderer.render, []

    def breaks(self: ReplyRenderer, until: int | None = None) -> Any:
        calls.append(until)
        if len(calls) > 1:
            raise RuntimeError("no memory")
        return render(self, until)

    with monkeypatch.context() as patch:
        patch.setattr(ReplyRenderer, "render", breaks)
        with pytest.raises(httpx.RemoteProtocolError):
            live.http.post("/v1/audio/speech", json=asked(stream=True, response_format=form))
    assert live.samples()


def test_a_full_disk_keeps_nothing_by_half(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with start(archive=str(tmp_path)) as live:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            answer = live.http.post("/v1/audio/speech", json=asked(stream=False))
            assert answer.status_code == 507
            with pytest.raises(httpx.RemoteProtocolError):
                live.http.post("/v1/audio/speech", json=asked(stream=True))
        assert list(tmp_path.iterdir()) == []
        answer = live.http.post("/v1/audio/speech", json=asked())
        kept = sorted(path.suffix for path in tmp_path.iterdir())
        assert answer.status_code == 200 and kept == [".json", ".pcm"]
        assert next(tmp_path.glob("*.pcm")).read_bytes() == answer.content
        facts = next(tmp_path.glob("*.json")).read_text(encoding="utf-8")
        assert '"synthetic": true' in facts and answer.headers["x-request-id"] in facts


def test_a_watermark_is_in_every_reply(start: Start, live: Live):
    with start(watermark=lambda samples: samples * 0) as silent:
        for stream in (True, False):
            marked, plain = silent.samples(stream=stream), live.samples(stream=stream)
            assert len(marked) == len(plain) and not any(marked) and any(plain)


def test_an_archived_file_has_its_provenance_and_hash(tmp_path: Path):
    path = Archive(tmp_path).keep("id1", "wav", b"sound", {"seed": 3})
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert facts == {
        "seed": 3, "file": "id1.wav", "sha256": hashlib.sha256(b"sound").hexdigest()
    }  # fmt: skip


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
                one.settimeout(20)
                assert b"200 OK" not in one.recv(4096)
        finally:
            for one in sockets:
                one.close()
        wait_for(lambda: idle(live))


def test_health_answers_while_replies_are_made(slow: Live):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(slow.http.post, "/v1/audio/speech", json=asked()) for _ in range(2)]
        wait_for(lambda: len(slow.service.engine._active) == 2)
        answers = 0
        while not all(future.done() for future in futures):
            assert slow.http.get("/healthz", timeout=5).status_code == 200
            answers += 1
    assert answers > 5 and all(future.result().status_code == 200 for future in futures)


@pytest.mark.slow
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
        wait_for(lambda: up(url) or process.poll() is not None, 90)
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
