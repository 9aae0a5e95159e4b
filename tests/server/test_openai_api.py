"""The official `openai` client, unchanged, against a live server."""

from __future__ import annotations

import base64
import copy
import dataclasses
import io
import json
import subprocess

import httpx
import imageio_ffmpeg
import numpy as np
import openai
import pytest
import soundfile

from GPT_SoVITS.inference.talker import Talker
from tests.server.conftest import TEXT, Live, Start
from tests.tiny_talker import voice


@pytest.fixture
def client(live: Live) -> openai.OpenAI:
    return openai.OpenAI(base_url=live.url + "/v1", api_key="unused", max_retries=0)


def seconds_of(data: bytes, form: str) -> float:
    """As a player would hear it."""
    if form == "pcm":
        return len(data) / 2 / 24000
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "pipe:0"]
    command += ["-ac", "1", "-ar", "32000", "-f", "s16le", "pipe:1"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return len(done.stdout) / 2 / 32000


@pytest.mark.parametrize("form", ["wav", "mp3", "opus", "flac", "aac", "pcm"])
def test_every_format_decodes_to_the_length_of_the_speech(
    client: openai.OpenAI, live: Live, form: str
):
    expected = len(live.samples(stream=False)) / 2 / 24000
    for stream in (True, False):
        response = client.audio.speech.create(
            model="tts-1", voice="anna", input=TEXT, response_format=form,  # type: ignore[arg-type]
            extra_body={"seed": 1, "stream": stream},
        )  # fmt: skip
        assert seconds_of(response.read(), form) == pytest.approx(expected, abs=0.12)


def test_the_streaming_client_gets_sound_in_pieces(client: openai.OpenAI, live: Live):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="anna", input=TEXT, response_format="pcm", extra_body={"seed": 1}
    ) as response:
        pieces = list(response.iter_bytes())
    assert len(pieces) > 1
    assert b"".join(pieces) == live.samples()


def test_events_carry_the_same_sound(client: openai.OpenAI, live: Live):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="anna", input=TEXT, response_format="pcm",
        stream_format="sse", extra_body={"seed": 1},
    ) as response:  # fmt: skip
        text = b"".join(response.iter_bytes()).decode()
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1]["type"] == "speech.audio.done"
    sound = b"".join(base64.b64decode(one["audio"]) for one in events[:-1])
    assert sound == live.samples()


def test_a_seed_repeats_and_its_absence_does_not(live: Live):
    assert live.samples(seed=4) == live.samples(seed=4)
    assert live.samples(seed=None) != live.samples(seed=None)


def test_speed_changes_the_length(live: Live):
    slow, fast = (len(live.samples(stream=False, speed=speed)) for speed in (0.5, 2.0))
    assert slow > 1.3 * fast


def test_models_and_voices_are_listed(client: openai.OpenAI, live: Live):
    assert [one.id for one in client.models.list()] == ["talker"]
    assert client.models.retrieve("talker").id == "talker"
    listed = live.http.get("/v1/voices").json()["data"]
    assert [one["id"] for one in listed] == ["anna"]


def test_openais_own_voices_are_the_default_voice(live: Live):
    assert live.samples(voice="alloy") == live.samples(voice="anna")


@pytest.mark.parametrize(
    ("change", "kind", "param"),
    [
        ({"input": " "}, openai.UnprocessableEntityError, "input"),
        ({"input": "x" * 2001}, openai.APIStatusError, "input"),
        ({"voice": "nobody"}, openai.NotFoundError, None),
        ({"model": "other"}, openai.NotFoundError, "model"),
        ({"speed": 9.0}, openai.UnprocessableEntityError, "speed"),
        ({"response_format": "mid"}, openai.UnprocessableEntityError, "response_format"),
    ],
)
def test_refusals_are_the_clients_own_errors(
    client: openai.OpenAI, change: dict[str, object], kind: type[openai.APIStatusError], param: str
):
    asked = {"model": "tts-1", "voice": "anna", "input": TEXT} | change
    with pytest.raises(kind) as caught:
        client.audio.speech.create(**asked)  # type: ignore[arg-type]
    error = caught.value.body
    assert isinstance(error, dict) and error["param"] == param
    assert error["request_id"] == caught.value.response.headers["x-request-id"]


def test_a_voice_is_uploaded_used_and_forgotten(client: openai.OpenAI, live: Live):
    file = io.BytesIO()
    soundfile.write(file, voice(140, 1.5), 32000, format="FLAC")
    parts = {"audio": ("v.flac", file.getvalue())}
    refused = live.http.post("/v1/voices", files=parts, data={"consent": "false"})
    assert refused.status_code == 422
    made = live.http.post("/v1/voices", files=parts, data={"consent": "true", "text": "Hello."})
    assert made.status_code == 201
    name = made.json()["id"]
    spoken = np.frombuffer(live.samples(voice=name), "<i2")
    assert len(spoken) and live.samples(voice="anna") != spoken.tobytes()
    listed: httpx.Response = live.http.get("/v1/voices")
    assert name not in listed.text, "an upload is its owner's secret"
    assert live.http.delete(f"/v1/voices/{name}").status_code == 204
    body = {"input": TEXT, "voice": name}
    assert live.http.post("/v1/audio/speech", json=body).status_code == 404


def test_ssml_is_spoken_with_exact_breaks(live: Live):
    plain = live.samples(input="Hello there.", stream=False)
    document = '<speak>Hello there.<break time="500ms"/></speak>'
    marked = live.samples(input=document, ssml=True, stream=False)
    assert len(marked) - len(plain) == 2 * 12000


def test_the_models_own_longest_reply_holds_below_the_limit(start: Start, talker: Talker):
    twin = copy.copy(talker)
    twin.options = dataclasses.replace(talker.options, max_seconds=0.8, eos_guard=20)
    for limit, seconds in ((10.0, 0.8), (0.4, 0.4)):
        with start(model=twin, limits={"reply_seconds": limit}) as live:
            assert len(live.samples(input="Hello there.", stream=False)) == seconds * 2 * 24000
