"""GPT-SoVITS's api_v2 as its clients call it: plain HTTP, the published names and defaults."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from GPT_SoVITS.server.api_v2 import TtsRequest
from tests.server.conftest import Live, Start
from tests.tiny_talker import voice

ASKED = {
    "text": "Good morning. Your parcel is late, we are sorry.",
    "text_lang": "en",
    "ref_audio_path": "anna",
    "prompt_lang": "en",
    "seed": 3,
}
# The published page of parameters; a change here breaks clients.
PUBLISHED = {
    "text": None, "text_lang": None, "ref_audio_path": None, "prompt_lang": None,
    "aux_ref_audio_paths": [], "prompt_text": "", "top_k": 15, "top_p": 1, "temperature": 1,
    "text_split_method": "cut5", "batch_size": 1, "batch_threshold": 0.75, "split_bucket": True,
    "speed_factor": 1.0, "fragment_interval": 0.3, "seed": -1, "media_type": "wav",
    "streaming_mode": False, "parallel_infer": True, "repetition_penalty": 1.35,
    "overlap_length": 2, "min_chunk_length": 16, "sample_steps": 32, "super_sampling": False,
}  # fmt: skip


def spoken(live: Live, **given: Any) -> bytes:
    answer = live.http.post("/tts", json={**ASKED, **given})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_parameters_and_defaults_are_the_published_ones():
    fields = TtsRequest.model_fields
    assert set(fields) == set(PUBLISHED)
    for name, value in PUBLISHED.items():
        assert fields[name].is_required() == (value is None), name
        assert value is None or fields[name].default == value, name


def test_get_and_post_say_the_same(live: Live):
    answer = live.http.get("/tts", params=ASKED)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
    assert answer.content == spoken(live)
    samples, rate = soundfile.read(io.BytesIO(answer.content))
    assert rate == 32000 and 0.5 < len(samples) / rate < 5


@pytest.mark.parametrize("media", ["wav", "raw", "ogg", "aac"])
def test_every_media_type(live: Live, media: str):
    data = spoken(live, media_type=media)
    expected = len(spoken(live, media_type="raw"))
    if media == "ogg":
        assert len(soundfile.read(io.BytesIO(data))[0]) == pytest.approx(expected / 2, abs=200)
    elif media == "wav":
        assert len(data) == expected + 44
    elif media == "aac":
        assert data[:2] == b"\xff\xf1"


@pytest.mark.parametrize("mode", [True, 1, "true", "1"])
def test_mode_1_streams_the_very_samples_of_the_whole(live: Live, mode: Any):
    whole = spoken(live)
    with live.http.stream("GET", "/tts", params=ASKED | {"streaming_mode": mode}) as answer:
        assert answer.status_code == 200
        pieces = list(answer.iter_bytes())
    data = b"".join(pieces)
    assert data[:4] == b"RIFF" and struct.unpack("<I", data[40:44]) == (0xFFFFFFFF,)
    assert data[44:] == whole[44:] and len(pieces) > 1


@pytest.mark.parametrize("mode", [2, 3])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_modes_2_and_3_speak_every_sentence(live: Live, mode: int, batch_size: int):
    whole = np.frombuffer(spoken(live, media_type="raw"), "<i2").astype(float)
    data = spoken(live, media_type="raw", streaming_mode=mode, batch_size=batch_size)
    samples = np.frombuffer(data, "<i2").astype(float)
    assert abs(len(samples) - len(whole)) <= 640
    n = min(len(samples), len(whole))
    assert np.corrcoef(samples[:n], whole[:n])[0, 1] > 0.99


def test_pieces_are_apart_by_the_fragment_interval(live: Live):
    short, long = (
        len(spoken(live, media_type="raw", fragment_interval=seconds)) for seconds in (0.0, 0.5)
    )
    pieces = 3  # cut5: after . , .
    assert long - short == (pieces - 1) * 32000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"text": "\n"}, "text"),
        ({"text_lang": "klingon"}, "text_lang"),
        ({"text_lang": None}, "text_lang"),
        ({"prompt_lang": "xx"}, "prompt_lang"),
        ({"media_type": "midi"}, "media_type"),
        ({"streaming_mode": 7}, "streaming_mode"),
        ({"text_split_method": "cut9"}, "text_split_method"),
        ({"top_k": -5}, "top_k"),
        ({"speed_factor": 100}, "speed"),
        ({"speed_factr": 1}, "speed_factr"),
    ],
)
def test_wrong_parameters_are_400_and_named(live: Live, change: dict[str, Any], field: str):
    answer = live.http.post("/tts", json=ASKED | change)
    assert answer.status_code == 400
    assert field in answer.json()["message"]


def test_an_unknown_voice_is_404_whatever_it_names(live: Live, tmp_path: Path):
    (tmp_path / "there.wav").write_bytes(b"RIFF")
    texts = set()
    for path in ("nobody", str(tmp_path / "there.wav"), "/etc/passwd", "../../etc/passwd",
                 "..\\secret", "%2e%2e/passwd", "a\0b", "/proc/self/environ",
                 "/dev/zero"):  # fmt: skip
        answer = live.http.post("/tts", json=ASKED | {"ref_audio_path": path})
        assert answer.status_code == 404, path
        texts.add(answer.json()["message"])
    assert len(texts) == 1, "existence is not told"


def test_files_below_the_allowed_folder_and_nothing_else(start: Start, tmp_path: Path):
    root = tmp_path / "refs"
    root.mkdir()
    for name in (root / "a.wav", root / "b.wav", tmp_path / "secret.wav"):
        soundfile.write(name, voice(150, 1.5), 32000)
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (root / "noise.wav").write_text("no sound")
    os.mkfifo(root / "pipe.wav")
    with start(allow_ref_root=str(root)) as live:
        one = spoken(live, ref_audio_path="a.wav", prompt_text="Good evening.")
        assert one != spoken(live)
        both = spoken(live, ref_audio_path="a.wav", aux_ref_audio_paths=["b.wav", "anna"])
        assert both != spoken(live, ref_audio_path="a.wav")
        for path in ("../secret.wav", "link.wav", "pipe.wav", str(root / "a.wav"), "gone.wav"):
            for given in ({"ref_audio_path": path}, {"aux_ref_audio_paths": [path]}):
                answer = live.http.post("/tts", json=ASKED | given)
                assert answer.status_code == 404, path
        answer = live.http.post("/tts", json=ASKED | {"ref_audio_path": "noise.wav"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "path", ["/control", "/set_gpt_weights", "/set_sovits_weights", "/set_refer_audio"]
)
def test_what_changed_the_server_says_what_replaces_it(live: Live, path: str):
    for answer in (live.http.get(path, params={"command": "exit"}), live.http.post(path)):
        assert answer.status_code == 405
        assert path in answer.json()["message"] and len(answer.json()["message"]) > 30
    assert live.http.get("/healthz").status_code == 200
