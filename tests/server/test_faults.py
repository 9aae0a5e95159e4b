"""What breaks: an honest error, nothing kept by half, and the next request is always fine."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from GPT_SoVITS.s2_vits.streaming import ReplyRenderer
from GPT_SoVITS.server.archive import Archive
from tests.server.conftest import Live, Start, asked

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
