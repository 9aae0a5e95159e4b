"""Dialogues over HTTP: turns, replies, forks, state on another worker, expiry."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.audio.pcm import to_pcm
from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.talker import Talker
from tests.server.conftest import Live, Start
from tests.tiny_talker import voice

QUESTION = "Where is my parcel?"
ANSWER = "Let me look that up."


def recording(seconds: float = 1.0, pitch: float = 140.0) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice(pitch, seconds), 32000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def opened(live: Live, **given: Any) -> str:
    answer = live.http.post("/v1/dialogues", json={"voice": "anna", **given})
    assert answer.status_code == 201, answer.text
    return f"/v1/dialogues/{answer.json()['id']}"


def respond(live: Live, path: str, text: str = ANSWER, **given: Any) -> bytes:
    body = {"text": text, "seed": 5, "response_format": "raw", **given}
    answer = live.http.post(path + "/respond", json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained weights do not end by themselves: a reply in a dialogue has at most 1.2 s."""
    monkeypatch.setattr("GPT_SoVITS.server.dialogue_work.LONGEST_SECONDS", 1.2)


pytestmark = pytest.mark.usefixtures("short")


def test_a_dialogue_speaks_as_a_session_of_the_talker(live: Live, talker: Talker):
    path = opened(live)
    audio = base64.b64encode(recording()).decode()
    answer = live.http.post(path + "/turns", json={"text": QUESTION, "audio": audio})
    assert answer.status_code == 201
    assert answer.json()["turns"][0] == {
        "speaker": "user", "text": QUESTION, "language": "auto", "seconds": 1.0, "tokens": 25
    }  # fmt: skip
    session = talker.session(agent="anna")
    session.add(Turn("user", QUESTION), samples=voice(140, 1.0))
    options = GenerationOptions(precision="fp32", max_seconds=1.2, seed=5)
    for text in (ANSWER, "It left this morning."):  # the first reply is history of the second
        expected = session.respond(text, options=options).samples
        assert respond(live, path, text) == to_pcm(expected).tobytes()
    assert len(live.http.get(path).json()["turns"]) == 3


def test_streamed_and_whole_replies_have_the_same_tokens(live: Live):
    paths = [opened(live), opened(live)]
    whole, streamed = (respond(live, path, stream=s) for path, s in zip(paths, (False, True)))
    assert len(whole) == len(streamed)
    turns = [live.http.get(path + "/state").json()["turns"][0]["codes"] for path in paths]
    assert turns[0] == turns[1] and turns[0]


def test_a_recording_may_wait_for_its_text(live: Live):
    path, other = opened(live), opened(live)
    given = {"audio": ("q.wav", recording())}
    answer = live.http.post(path + "/turns/upload", files=given)
    assert answer.status_code == 201 and answer.json()["turns"][0]["text"] is None
    written = live.http.patch(path + "/turns/0", json={"text": QUESTION})
    assert written.json()["turns"][0]["text"] == QUESTION
    assert live.http.patch(path + "/turns/0", json={"text": "Again."}).status_code == 409
    assert live.http.patch(path + "/turns/9", json={"text": "Again."}).status_code == 409
    live.http.post(other + "/turns/upload", files=given, data={"text": QUESTION})
    assert respond(live, path) == respond(live, other), "as if the text had come with the sound"


def test_state_goes_on_at_another_worker_as_if_it_had_been_there(live: Live, start: Start):
    path = opened(live)
    live.http.post(path + "/turns/upload", files={"audio": ("q.wav", recording())},
                   data={"text": QUESTION})  # fmt: skip
    respond(live, path)
    live.http.post(path + "/turns", json={"text": "And now?"})
    state = live.http.get(path + "/state").json()
    with start() as other:
        twin = opened(other, state=state)
        assert respond(other, twin, "Soon.") == respond(live, path, "Soon.")
        state["quantizer_id"] = "of another model"
        refused = other.http.post("/v1/dialogues", json={"voice": "anna", "state": state})
        assert refused.status_code == 422 and refused.json()["error"]["param"] == "state"


def test_a_fork_goes_its_own_way(live: Live):
    path = opened(live)
    live.http.post(path + "/turns", json={"text": QUESTION})
    forked = live.http.post(path + "/fork")
    assert forked.status_code == 201 and forked.json()["turns"][0]["text"] == QUESTION
    twin = f"/v1/dialogues/{forked.json()['id']}"
    assert respond(live, twin) == respond(live, path)
    respond(live, twin, "More.")
    assert len(live.http.get(path).json()["turns"]) == 2


def test_deleted_expired_and_unknown_dialogues_are_one_404(
    live: Live, monkeypatch: pytest.MonkeyPatch
):
    deleted, expired = opened(live), opened(live)
    assert live.http.delete(deleted).status_code == 204
    live.service.dialogues.get(expired.rsplit("/", 1)[1]).used -= 3600
    for path in (deleted, expired, "/v1/dialogues/dlg_0"):
        assert live.http.get(path).status_code == 404
        assert live.http.post(path + "/respond", json={"text": ANSWER}).status_code == 404


def test_limits_of_dialogues_and_turns(start: Start):
    with start(limits={"dialogues": 1, "dialogue_turns": 1}) as live:
        path = opened(live)
        full = live.http.post("/v1/dialogues", json={"voice": "anna"})
        assert full.status_code == 429 and full.headers["retry-after"]
        assert live.http.post(path + "/turns", json={"text": QUESTION}).status_code == 201
        assert live.http.post(path + "/turns", json={"text": QUESTION}).status_code == 409


def test_two_pieces_of_work_on_one_dialogue_do_not_mix(live: Live):
    path = opened(live)
    dialogue = live.service.dialogues.claim(path.rsplit("/", 1)[1])
    assert live.http.post(path + "/respond", json={"text": ANSWER}).status_code == 409
    live.service.dialogues.release(dialogue)
    assert respond(live, path)


def test_caches_of_idle_dialogues_are_given_back_and_made_again(
    live: Live, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("GPT_SoVITS.server.dialogue_store.KEPT_CACHES", 0)
    kept, forgotten = opened(live), opened(live)
    replies = []
    for path in (kept, forgotten):
        respond(live, path)
        replies.append(respond(live, path, "Again."))
    context = live.service.dialogues.get(kept.rsplit("/", 1)[1]).session.context
    assert context._cached is None and replies[0] == replies[1]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"text": ""}, 422), ({"audio": "!!"}, 422), ({"text": "Hi.", "speaker": " "}, 422),
     ({"audio": base64.b64encode(b"<html>").decode()}, 422), ({"text": "x" * 2001}, 413)],
)  # fmt: skip
def test_wrong_turns_are_refused_and_change_nothing(live: Live, body: dict[str, Any], status: int):
    path = opened(live)
    assert live.http.post(path + "/turns", json=body).status_code == status
    assert live.http.get(path).json()["turns"] == []


def test_the_reply_is_one_of_the_chosen_voice(live: Live):
    file = {"audio": ("v.wav", recording(1.5, 300.0))}
    name = live.http.post("/v1/voices", files=file, data={"consent": "true"}).json()["id"]
    one, other = opened(live, voice=name), opened(live)
    assert np.any(np.frombuffer(respond(live, one), "<i2")) and respond(live, one) != respond(
        live, other
    )
