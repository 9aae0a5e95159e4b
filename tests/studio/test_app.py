"""The application without a browser: builds, stays on this machine, serves no foreign file."""

from __future__ import annotations

import logging
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GPT_SoVITS.studio.command import is_loopback, main
from GPT_SoVITS.studio.jobs import Jobs
from GPT_SoVITS.studio.live import LiveStreams
from GPT_SoVITS.studio.roots import Roots
from GPT_SoVITS.studio.words import LANGUAGES
from GPT_SoVITS.studio.workshop import Workshop
from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("gradio")
    from fastapi.testclient import TestClient

    from GPT_SoVITS.studio.app import build_app

    folder = tmp_path_factory.mktemp("studio_app")
    (folder / "data").mkdir()
    (folder / "data" / "secret.txt").write_text("the words of a file")
    workshop = Workshop(
        roots=Roots([folder / "data"]),
        jobs=Jobs(folder / "jobs"),
        cache=folder / "cache",
        configs=REPOSITORY / "configs",
    )
    with TestClient(build_app(workshop), base_url="http://127.0.0.1") as client:
        client.folder = folder  # type: ignore[attr-defined]
        yield client


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_built_in_every_language_and_refuse_to_load_from_elsewhere(
    client: Any, language: str
):
    answer = client.get(f"/{language}/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'") and "http" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_the_first_page_speaks_the_browser_s_language(client: Any):
    for wanted, page in (("zh-CN,zh;q=0.9", "/zh/"), ("de", "/en/")):
        answer = client.get("/", headers={"accept-language": wanted}, follow_redirects=False)
        assert answer.headers["location"] == page


def test_another_host_s_name_is_refused(client: Any):
    assert client.get("/en/", headers={"host": "evil.example"}).status_code == 400


def test_health_says_that_it_lives(client: Any):
    assert client.get("/health").json() == {"status": "ok"}


def test_no_file_is_served_that_no_page_shows(client: Any):
    for place in ("/etc/passwd", str(client.folder / "data" / "secret.txt")):
        for way in ("file=", "file/"):
            answer = client.get(f"/en/gradio_api/{way}{place}")
            assert answer.status_code in (403, 404) and "the words" not in answer.text


@pytest.mark.parametrize(
    ("host", "fine"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("x", False)],
)
def test_only_loopback_addresses_are_bound(host: str, fine: bool):
    assert is_loopback(host) is fine


def test_an_open_address_and_a_taken_port_are_refused_in_a_sentence(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    caplog.set_level(logging.ERROR)
    assert main(["--host", "0.0.0.0"]) == 2
    assert "binds to loopback only" in caplog.text
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--port", str(port), "--jobs", str(tmp_path / "jobs")]) == 2
    assert f"--port {port}" in caplog.text and not (tmp_path / "jobs").exists()


def test_a_stream_is_read_once_and_by_its_token_only():
    streams = LiveStreams()
    token = streams.open()
    streams.put(token, np.array([0.0, 1.0, -2.0], np.float32))
    streams.close(token)
    assert streams.read("another") is None
    chunks = streams.read(token)
    assert chunks is not None
    header, sound = list(chunks)
    assert header[:4] == b"RIFF" and struct.unpack("<I", header[24:28])[0] == 32000
    assert struct.unpack("<3h", sound) == (0, 32767, -32767)
    assert streams.read(token) is None
