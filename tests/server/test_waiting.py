"""Whoever waits for a place is told in time, however slow the machine is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from GPT_SoVITS.inference.talker import Talker
from tests.server.conftest import Brake, Live, Start, asked, wait_for
from tests.server.test_steady import busy, idle

WAITING = 3


@pytest.fixture
def full(start: Start, endless: Talker, brake: Brake) -> Iterator[Live]:
    """A server that decodes when the brake lets it: a reply at a time, three may wait for 2 s."""
    limits = {"running": 1, "queue": WAITING, "queue_seconds": 2.0, "reply_seconds": 4.0}
    with start(model=endless, limits=limits) as live:
        live.service.engine._seconds = 0.0  # no reply was ever slow
        yield live
        brake.release()
        wait_for(lambda: idle(live))


def ask(pool: ThreadPoolExecutor, live: Live, **given: Any) -> Future[httpx.Response]:
    return pool.submit(live.http.post, "/v1/audio/speech", json=asked(**given))


@pytest.mark.parametrize("stream", [True, False])
def test_a_request_that_waited_too_long_is_429_and_the_next_one_is_fine(
    full: Live, brake: Brake, stream: bool
):
    with ThreadPoolExecutor(1 + WAITING) as pool:
        first = ask(pool, full, stream=stream)
        wait_for(lambda: busy(full, active=1))
        for answer in [ask(pool, full, stream=stream) for _ in range(WAITING)]:
            late = answer.result()  # the reply under way is held: nothing else could end these
            assert late.status_code == 429 and int(late.headers["retry-after"]) >= 1
            assert late.json()["error"]["code"] == "overloaded"
        assert busy(full, active=1) and not first.done()
        brake.release()
        assert first.result().status_code == 200
    assert full.metric("gpt_sovits_rejects_total") == WAITING
    assert full.http.post("/v1/audio/speech", json=asked()).status_code == 200


def test_a_wait_that_is_foreseen_is_refused_at_once(full: Live, brake: Brake):
    engine = full.service.engine
    engine._seconds = 20.0  # what a reply took of late; the brake holds the one under way
    with ThreadPoolExecutor(2) as pool:
        first = ask(pool, full)
        wait_for(lambda: busy(full, active=1))
        second = ask(pool, full)
        wait_for(lambda: busy(full, active=1, waiting=1))
        answer = full.http.post("/v1/audio/speech", json=asked())
        assert answer.status_code == 429 and int(answer.headers["retry-after"]) == 20
        brake.release()
        assert first.result().status_code == 200 and second.result().status_code in (200, 429)


def test_a_free_place_is_given_whatever_replies_took_before(full: Live, brake: Brake):
    full.service.engine._seconds = 1e6
    brake.release()
    assert full.http.post("/v1/audio/speech", json=asked()).status_code == 200


def test_a_dialogue_that_waited_too_long_is_free_again(full: Live, brake: Brake):
    path = f"/v1/dialogues/{full.http.post('/v1/dialogues', json={}).json()['id']}"
    with ThreadPoolExecutor(1) as pool:
        first = ask(pool, full)
        wait_for(lambda: busy(full, active=1))
        late = full.http.post(path + "/respond", json={"text": "Hello."})
        assert late.status_code == 429
        brake.release()
        assert first.result().status_code == 200
    assert full.http.post(path + "/respond", json={"text": "Hello."}).status_code == 200
    assert len(full.http.get(path).json()["turns"]) == 1


def test_a_reply_that_took_too_long_is_remembered(full: Live, brake: Brake):
    """Else a machine where nothing ends in time would go on promising places."""
    engine = full.service.engine
    with ThreadPoolExecutor(1) as pool:
        first = ask(pool, full)
        wait_for(lambda: busy(full, active=1))
        engine._seconds = 0.0
        (job,) = engine._active
        engine.drop(job, "timeout")
        brake.release()
        first.result()
    wait_for(lambda: idle(full))
    assert engine._seconds > 0
