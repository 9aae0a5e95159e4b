"""Hostile text and recordings: refused with a reason, never a 5xx, never much memory."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile

from GPT_SoVITS.server.errors import ApiError
from GPT_SoVITS.server.uploads import decode_recording
from tests.server.conftest import Live
from tests.tiny_talker import voice

SOUND = voice(150, 1.5)


def coded(samples: np.ndarray, rate: int = 32000, **given: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **{"format": "WAV", **given})
    return file.getvalue()


def floats(value: float) -> bytes:
    samples = SOUND.copy()
    samples[100] = value
    return coded(samples, subtype="FLOAT")


def claiming(n_bytes: int) -> bytes:
    """A WAV whose header promises more than there is."""
    data = bytearray(coded(SOUND))
    data[40:44] = struct.pack("<I", n_bytes)
    return bytes(data)


HOSTILE = {
    "html": b"<html><body>no</body></html>" * 50,
    "text": b"hello",
    "empty": b"",
    "header_only": coded(SOUND)[:44],
    "half_header": coded(SOUND)[:30],
    "truncated": coded(SOUND)[:20_000],
    "claims_4_gib": claiming(0xFFFFFF00),
    "claims_2_gib": claiming(0x7FFFFFFF),
    "nan": floats(float("nan")),
    "inf": floats(float("inf")),
    "silent": coded(np.zeros(48000, np.float32)),
    "zero_samples": coded(np.zeros(0, np.float32)),
    "too_short": coded(SOUND[:500]),
    "too_long": coded(np.tile(SOUND, 40), 16000),
    "rate_192k": coded(SOUND, 192_000),
    "rate_1k": coded(SOUND, 1000),
    "channels_32": coded(np.tile(SOUND[:4000, None], 32)),
    "flac_torn": coded(SOUND, format="FLAC")[:3000],
    "playlist": b"#EXTM3U\nhttp://127.0.0.1:1/a.ts\n",
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_recording_is_refused_everywhere(live: Live, name: str):
    file = {"audio": ("voice.wav", HOSTILE[name])}
    upload = live.http.post("/v1/voices", files=file, data={"consent": "true"})
    assert upload.status_code in (413, 422), upload.text
    assert upload.json()["error"]["param"] == "audio"
    if name != "too_long":  # half a minute is fine for a turn
        number = live.http.post("/v1/dialogues", json={"voice": "anna"}).json()["id"]
        turn = live.http.post(f"/v1/dialogues/{number}/turns/upload", files=file)
        assert turn.status_code in (413, 422)
        live.http.delete(f"/v1/dialogues/{number}")


@pytest.mark.parametrize(("form", "minutes"), [("FLAC", 240), ("OGG", 10)])
def test_hours_of_silence_in_a_small_file_cost_no_memory(form: str, minutes: int):
    file, part = io.BytesIO(), np.zeros(8000 * 600, np.float32)
    subtype = "OPUS" if form == "OGG" else "PCM_16"
    with soundfile.SoundFile(file, "w", 8000, 1, format=form, subtype=subtype) as out:
        for _ in range(minutes // 10):
            out.write(part)
    data, before = file.getvalue(), psutil.Process().memory_info().rss
    with pytest.raises(ApiError) as caught:
        decode_recording(data, max_seconds=30)
    assert caught.value.status_code == 413
    assert psutil.Process().memory_info().rss - before < 50e6


def test_good_recordings_of_every_kind_are_read():
    for data in (coded(SOUND), coded(SOUND, 48000), coded(SOUND, format="FLAC"),
                 coded(SOUND, format="OGG"), coded(np.stack([SOUND, SOUND], 1)),
                 coded(SOUND, subtype="FLOAT"), coded(SOUND, subtype="PCM_24"),
                 coded(SOUND, format="MP3")):  # fmt: skip
        samples = decode_recording(data, max_seconds=30)
        assert samples.dtype == np.float32 and samples.ndim == 1 and np.isfinite(samples).all()


TEXTS = {
    "1 MB": "a" * 1_000_000,
    "10k emoji": "😀" * 10_000,
    "emoji": "😀🏳️‍🌈👩‍👩‍👧",
    "right to left": "مرحبا بك שלום",
    "joiners": "a\u200d\u200b\ufeff\u2066b",
    "combining": "e" + "\u0301" * 500,
    "control": "Hello\0\x1b[31m\x07 there\r\n",
    "newline": "\n",
    "punctuation": "?!.,;:—…" * 40,
    "shell": "$(touch marker) `touch marker`; touch marker | x \" ' & %0a",
    "markup": "<script>alert(1)</script> {a|b} <speak>",
    "path": "../../etc/passwd\0.wav",
    "long word": "pneumono" * 15,
    "digits": "9" * 200,
    "mixed": "你好 hello こんにちは 안녕 привет",
    "tags": "[laugh][[x]]<LAUGHS><<>>",
}


@pytest.mark.parametrize("name", TEXTS)
def test_no_text_is_a_server_error(live: Live, name: str):
    for path, body in (
        ("/v1/audio/speech", {"input": TEXTS[name], "voice": "anna", "seed": 1}),
        ("/tts", {"text": TEXTS[name], "text_lang": "auto", "ref_audio_path": "anna",
                  "prompt_lang": "en", "seed": 1, "text_split_method": "cut0"}),
    ):  # fmt: skip
        answer = live.http.post(path, json=body)
        assert answer.status_code < 500, answer.text
        if answer.status_code != 200:
            assert answer.json()["error"]["param"] in ("input", "text")


def test_lone_surrogates_and_broken_json_are_refused(live: Live):
    head = {"content-type": "application/json"}
    bodies = [b'{"input": "a\\ud800b", "voice": "anna"}', b'{"input": ', b"\xff\xfe", b"null"]
    bodies += [b"[" * 10_000, b'{"input": "x", "speed": NaN}', b'{"input": "x", "seed": 1e400}']
    for body in bodies:
        answer = live.http.post("/v1/audio/speech", content=body, headers=head)
        assert 400 <= answer.status_code < 500, body[:40]
        assert answer.json()["error"]["request_id"]


def test_half_characters_in_any_field_are_refused(live: Live):
    path = f"/v1/dialogues/{live.http.post('/v1/dialogues', json={}).json()['id']}"
    state = '{"state": {"turns": [{"speaker": "a", "text": "b\\ud800"}]}}'
    for place, body in (
        ("/v1/dialogues", '{"agent": "a\\ud800"}'),
        ("/v1/dialogues", '{"voice": "a\\ud800"}'),
        ("/v1/dialogues", state),
        (path + "/turns", '{"speaker": "a\\udfff", "text": "b"}'),
        (path + "/turns", '{"text": "b\\ud800"}'),
        (path + "/turns", '{"text": "b", "audio": "\\ud800"}'),
        (path + "/respond", '{"text": "b\\ud800"}'),
        (path + "/respond", '{"text": "b", "\\ud800": 1}'),
        (
            "/tts",
            '{"text": "b", "ref_audio_path": "\\ud800", "text_lang": "en", "prompt_lang": "en"}',
        ),
    ):
        answer = live.http.post(place, content=body, headers={"content-type": "application/json"})
        assert 400 <= answer.status_code < 500, (place, body, answer.text)


def test_output_is_finite_whatever_was_heard(live: Live):
    loud = coded(np.clip(SOUND * 50, -1, 1))
    file = {"audio": ("v.wav", loud)}
    name = live.http.post("/v1/voices", files=file, data={"consent": "true"}).json()["id"]
    assert live.samples(voice=name)
