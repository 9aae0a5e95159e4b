"""Hostile values in every field: nothing is run, no file is read, nobody is called."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.conftest import TEXT, Live, Start

COMMANDS = ["touch marker", "touch${IFS}marker", "/bin/touch marker", "touch\tmarker"]
QUOTED = ["$({})", "`{}`", "; {}", "| {}", "&& {}", "|| {}", "\n{}\n", "' ; {} ; '", '" ; {} ; "']
PAYLOADS = [form.format(command) for form in QUOTED for command in COMMANDS]
PAYLOADS += ["-o marker", "--output=marker", "%0atouch marker", "%24(touch marker)", "a\nb"]
PAYLOADS += ["{{7*7}}", "${7*7}", "<%= 7*7 %>", "__import__('os').system('touch marker')"]
TTS = {"text": TEXT, "text_lang": "en", "ref_audio_path": "anna", "prompt_lang": "en", "seed": 1}


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


def test_there_are_payloads_enough():
    assert len(set(PAYLOADS)) >= 40


@pytest.mark.parametrize("field", ["voice", "model", "response_format", "language", "stream"])
def test_an_unknown_name_is_refused_whatever_it_says(live: Live, field: str):
    for value in PAYLOADS:
        body = {"input": TEXT, "voice": "anna", field: value}
        assert live.http.post("/v1/audio/speech", json=body).status_code in (404, 422), value


@pytest.mark.parametrize(
    "field", ["ref_audio_path", "text_lang", "prompt_lang", "media_type", "text_split_method"]
)
def test_so_is_one_of_api_v2(live: Live, field: str):
    for value in PAYLOADS:
        for answer in (
            live.http.post("/tts", json=TTS | {field: value}),
            live.http.get("/tts", params=TTS | {field: value}),
        ):
            assert answer.status_code in (400, 404), value


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/audio/speech", "input"),
        ("/v1/audio/speech", "emotion"),
        ("/tts", "text"),
        ("/tts", "prompt_text"),
    ],
)
def test_a_text_is_spoken_and_nothing_else(live: Live, path: str, field: str):
    common = {"input": "Hi.", "voice": "anna", "seed": 1} if path != "/tts" else TTS
    short = {"text": "Hi."} if path == "/tts" else {}
    for value in PAYLOADS[:: 4 if field in ("input", "text") else 9]:
        answer = live.http.post(path, json=common | short | {field: value})
        assert answer.status_code in (200, 400, 422), (value, answer.text)


def test_headers_and_paths_too(live: Live):
    for value in PAYLOADS:
        head = {"X-Request-Id": value.replace("\n", " ").strip()}
        assert live.http.get("/v1/models", headers=head).status_code == 200
        for path in ("/v1/models", "/v1/dialogues"):
            assert live.http.get(f"{path}/{value!r}").status_code in (404, 405), value


def test_other_names_of_a_voice_file_are_not_read(live: Live):
    """A name is a key of a table, never a path."""
    for name in ("../anna", "./anna", "anna/", "anna.wav", "/anna", "ANNA"):
        body = {"input": TEXT, "voice": name}
        assert live.http.post("/v1/audio/speech", json=body).status_code == 404


@contextlib.contextmanager
def nobody_calls() -> Iterator[int]:
    """The port of a listener to which, in the end, nobody has connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener.getsockname()[1]
        with pytest.raises(BlockingIOError):  # a call would wait here to be taken
            listener.accept()


ADDRESSES = [
    "http://127.0.0.1:{}/x.wav",
    "https://127.0.0.1:{}/x.wav",
    "ftp://127.0.0.1:{}/x.wav",
    "tcp://127.0.0.1:{}",
    "udp://127.0.0.1:{}",
    "rtmp://127.0.0.1:{}/live",
    "file:http://127.0.0.1:{}/x.wav",
    "concat:http://127.0.0.1:{}/a|http://127.0.0.1:{}/b",
    "subfile,,start,0,,:http://127.0.0.1:{}/a",
    "data:audio/wav;base64,UklGRg==",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_field_makes_the_server_call_out(live: Live, address: str):
    with nobody_calls() as port:
        named = address.replace("{}", str(port))
        for given in ({"ref_audio_path": named}, {"aux_ref_audio_paths": [named]}):
            assert live.http.post("/tts", json=TTS | given).status_code == 404
        body = {"input": TEXT, "voice": named}
        assert live.http.post("/v1/audio/speech", json=body).status_code == 404


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{}/a.ts\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile http://127.0.0.1:{}/a.wav\n",
    "pls": "[playlist]\nFile1=http://127.0.0.1:{}/a.mp3\nNumberOfEntries=1\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio {} RTP/AVP 0\n",
}


@pytest.mark.parametrize("name", ["voice.wav", "voice.m3u8"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_no_recording_makes_the_server_call_out(live: Live, kind: str, name: str):
    with nobody_calls() as port:
        file = {"audio": (name, PLAYLISTS[kind].replace("{}", str(port)).encode())}
        answer = live.http.post("/v1/voices", files=file, data={"consent": "true"})
        assert answer.status_code == 422 and answer.json()["error"]["param"] == "audio"


def test_no_document_makes_the_server_call_out(live: Live):
    for inside in (
        '<audio src="http://127.0.0.1:{}/x.wav"/>Hello.',
        '<voice name="http://127.0.0.1:{}/x.wav">Hello.</voice>',
        '<lexicon uri="http://127.0.0.1:{}/x.pls"/>Hello.',
    ):
        with nobody_calls() as port:
            document = f"<speak>{inside.replace('{}', str(port))}</speak>"
            body = {"input": document, "voice": "anna", "ssml": True}
            assert live.http.post("/v1/audio/speech", json=body).status_code in (404, 422)
    with nobody_calls() as port:
        entity = f'<!DOCTYPE a SYSTEM "http://127.0.0.1:{port}/a.dtd"><speak>Hello.</speak>'
        body = {"input": entity, "voice": "anna", "ssml": True}
        assert live.http.post("/v1/audio/speech", json=body).status_code == 422


def test_files_below_a_root_call_nobody_either(
    start: Start, tmp_path_factory: pytest.TempPathFactory
):
    root = tmp_path_factory.mktemp("refs")
    with start(allow_ref_root=str(root)) as live, nobody_calls() as port:
        (root / "a.wav").write_text(PLAYLISTS["m3u8"].replace("{}", str(port)), encoding="utf-8")
        assert live.http.post("/tts", json=TTS | {"ref_audio_path": "a.wav"}).status_code == 400
