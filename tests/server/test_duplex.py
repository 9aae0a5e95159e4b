"""Full duplex with a real WebSocket client: talk, listen, interrupt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from GPT_SoVITS.audio.pcm import to_pcm
from GPT_SoVITS.inference.talker import Talker
from tests.server.conftest import Brake, Live, Start, wait_for
from tests.tiny_talker import voice

LONG = "This is a long answer that nobody will hear to its very end, I am afraid, my friend."


@pytest.fixture
def dialogue(live: Live) -> str:
    return live.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]


@pytest.fixture
def socket(live: Live, dialogue: str) -> Iterator[ClientConnection]:
    with connect(f"{live.url.replace('http', 'ws')}/v1/dialogues/{dialogue}/ws") as made:
        yield made


def tell(socket: ClientConnection, **message: Any) -> None:
    socket.send(json.dumps(message))


def until(socket: ClientConnection, *kinds: str) -> tuple[dict[str, Any], bytes]:
    """The next message of one of these types, and the sound that came before it."""
    sound = b""
    while True:
        message = socket.recv(timeout=60)
        if isinstance(message, bytes):
            sound += message
            continue
        found = json.loads(message)
        assert found["type"] in (*kinds, "response.started"), found
        if found["type"] in kinds:
            return found, sound


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("GPT_SoVITS.server.dialogue_work.LONGEST_SECONDS", 1.2)


@pytest.mark.usefixtures("short")
def test_a_turn_and_its_reply(live: Live, socket: ClientConnection, dialogue: str):
    tell(socket, type="turn", text="Where is my parcel?")
    assert until(socket, "turn.added")[0]["index"] == 0
    tell(socket, type="respond", text="One moment.", seed=2)
    done, sound = until(socket, "response.done")
    assert done["seconds"] == pytest.approx(len(sound) / 2 / 32000, abs=0.001)
    twin = live.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]
    live.http.post(f"/v1/dialogues/{twin}/turns", json={"text": "Where is my parcel?"})
    body = {"text": "One moment.", "seed": 2, "stream": True, "response_format": "raw"}
    whole = live.http.post(f"/v1/dialogues/{twin}/respond", json=body)
    assert whole.content == sound, "the same over HTTP"


@pytest.mark.usefixtures("short")
def test_spoken_frames_become_a_turn(live: Live, socket: ClientConnection, dialogue: str):
    tell(socket, type="audio", sample_rate=32000)
    pcm = to_pcm(voice(140, 1.0)).tobytes()
    for start in range(0, len(pcm), 6400):
        socket.send(pcm[start : start + 6400])
    tell(socket, type="commit", text="Hello?")
    until(socket, "turn.added")
    turn = live.http.get(f"/v1/dialogues/{dialogue}").json()["turns"][0]
    assert turn["tokens"] == 25 and turn["text"] == "Hello?"


@pytest.fixture
def speaking(start: Start, endless: Talker, brake: Brake) -> Iterator[tuple[Live, str]]:
    """A server whose reply of 100 tokens is held at the 60th, and a dialogue there."""
    brake.after = 60
    with start(model=endless) as live:
        yield live, live.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]
        brake.release()


def hear_the_start(socket: ClientConnection, brake: Brake) -> None:
    tell(socket, type="respond", text=LONG)
    assert json.loads(socket.recv(timeout=60))["type"] == "response.started"
    while not isinstance(socket.recv(timeout=60), bytes):
        pass
    assert brake.reached.wait(60)


def told_to_stop(live: Live) -> bool:
    return all(job.stop.is_set() for job in live.service.engine._active)


@pytest.mark.parametrize("how", ["cancel", "turn"])
def test_speaking_up_stops_the_reply_within_a_step(
    speaking: tuple[Live, str], brake: Brake, how: str
):
    live, dialogue = speaking
    with connect(f"{live.url.replace('http', 'ws')}/v1/dialogues/{dialogue}/ws") as socket:
        hear_the_start(socket, brake)
        message = {"type": "cancel"} if how == "cancel" else {"type": "turn", "text": "Stop!"}
        socket.send(json.dumps(message))
        wait_for(lambda: told_to_stop(live))
        steps = live.service.engine.steps
        brake.release()
        stopped, _ = until(socket, "response.cancelled")
        assert live.service.engine.steps - steps <= 1, "nothing is decoded for nobody"
        assert 0 < stopped["seconds"] < 4
        if how == "turn":
            until(socket, "turn.added")
    texts = [one["text"] for one in live.http.get(f"/v1/dialogues/{dialogue}").json()["turns"]]
    assert texts == [LONG] + ["Stop!"] * (how == "turn"), "what was heard is history"


def test_leaving_stops_the_reply(speaking: tuple[Live, str], brake: Brake):
    live, dialogue = speaking
    with connect(f"{live.url.replace('http', 'ws')}/v1/dialogues/{dialogue}/ws") as socket:
        hear_the_start(socket, brake)
    wait_for(lambda: told_to_stop(live))
    steps = live.service.engine.steps
    brake.release()
    wait_for(lambda: not live.metric("gpt_sovits_in_flight"))
    assert live.service.engine.steps - steps <= 1
    wait_for(lambda: live.http.delete(f"/v1/dialogues/{dialogue}").status_code == 204)


@pytest.mark.usefixtures("short")
def test_a_wrong_message_is_told_and_the_talk_goes_on(socket: ClientConnection):
    for wrong in ("no json", "[1]", '{"type": "dance"}', '{"type": "respond"}',
                  '{"type": "turn", "text": ""}', '{"type": "audio", "sample_rate": 1}',
                  '{"type": "turn", "text": "Hi.", "colour": "red"}',
                  '{"type": "commit"}'):  # fmt: skip
        socket.send(wrong)
        found, _ = until(socket, "error")
        assert found["error"]["code"] and found["error"]["request_id"], wrong
    tell(socket, type="respond", text="Fine.")
    until(socket, "response.done")


def test_too_much_sound_is_dropped(start: Start):
    with start(limits={"turn_seconds": 1.0}) as live:
        number = live.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]
        with connect(f"{live.url.replace('http', 'ws')}/v1/dialogues/{number}/ws") as socket:
            socket.send(bytes(40_000))
            assert until(socket, "error")[0]["error"]["code"] == "invalid_audio"


def test_strangers_and_unknown_dialogues_are_refused(live: Live, start: Start):
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        with connect(f"{live.url.replace('http', 'ws')}/v1/dialogues/dlg_0/ws") as socket:
            socket.recv(timeout=60)
    with start(token="a-token-of-some-length") as guarded:
        number = guarded.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]
        address = f"{guarded.url.replace('http', 'ws')}/v1/dialogues/{number}/ws"
        with pytest.raises(InvalidStatus), connect(address):
            pass
        header = {"Authorization": "Bearer a-token-of-some-length"}
        with connect(address, additional_headers=header) as socket:
            tell(socket, type="cancel")
