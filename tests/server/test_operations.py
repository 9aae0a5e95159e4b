"""Health, metrics, the page, who may come in, and what is refused at the door."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import httpx
import pytest

from GPT_SoVITS.server.command import main, read_config
from GPT_SoVITS.server.config import ServeConfig
from GPT_SoVITS.server.logs import JsonLines
from tests.server.conftest import TEXT, Live, Start, wait_for

TOKEN = "a-token-of-some-length"


def test_health_readiness_and_metrics(live: Live):
    assert live.http.get("/healthz").json() == {"status": "ok"}
    assert live.http.get("/readyz").json() == {"status": "ready"}
    live.samples()
    for name in ("queue_length", "in_flight", "first_chunk_seconds_count", "rejects_total",
                 "real_time_factor_count", "semantic_tokens_total", "requests_total"):  # fmt: skip
        assert f"gpt_sovits_{name}" in live.http.get("/metrics").text
    assert live.metric("gpt_sovits_semantic_tokens_total") > 10
    assert live.metric("gpt_sovits_first_chunk_seconds_count") >= 1
    assert live.metric("gpt_sovits_in_flight") == 0


def test_the_page_runs_only_its_own_script(live: Live):
    page = live.http.get("/")
    policy = page.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce and f'<script nonce="{nonce[1]}">' in page.text
    assert "{{" not in page.text and "default-src 'none'" in policy
    assert not re.search(r'(?:src|href)="', page.text), "nothing is loaded from elsewhere"
    assert nonce[1] not in live.http.get("/").text, "a nonce is used once"


def test_draining_is_seen_by_readiness_and_requests(start: Start):
    with start(token=TOKEN) as live:
        assert live.http.post("/admin/drain").json() == {"status": "draining"}
        ready = live.http.get("/readyz")
        assert ready.status_code == 503 and ready.headers["retry-after"]
        body = {"input": TEXT, "voice": "anna"}
        assert live.http.post("/v1/audio/speech", json=body).status_code == 503
        assert live.http.get("/healthz").status_code == 200


def test_a_token_guards_everything_but_health_and_page(start: Start):
    with start(token=TOKEN) as live, httpx.Client(base_url=live.url) as stranger:
        for path in ("/v1/voices", "/metrics", "/openapi.json", "/tts"):
            answer = stranger.get(path)
            assert answer.status_code == 401, path
            assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
        wrong = stranger.get("/v1/voices", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        assert stranger.get("/healthz").status_code == 200
        assert stranger.get("/").status_code == 200
        assert live.http.get("/v1/voices").status_code == 200
        assert live.http.post("/admin/voices/reload").json()["refused"] == []


def test_administration_needs_a_token_even_on_loopback(live: Live):
    for path in ("/admin/drain", "/admin/voices/reload"):
        assert live.http.post(path).status_code == 403
        assert live.http.get(path).status_code == 405


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
def test_other_sites_and_names_are_refused(live: Live, header: dict[str, str]):
    answer = live.http.get("/v1/voices", headers=header)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_errors_are_json_with_the_request_id_the_client_gave(live: Live):
    answer = live.http.get("/nowhere", headers={"X-Request-Id": "mine-1"})
    assert answer.status_code == 404
    assert answer.json()["error"]["request_id"] == "mine-1" == answer.headers["x-request-id"]
    odd = live.http.get("/nowhere", headers={"X-Request-Id": 'a"b c'})
    assert re.fullmatch(r"[0-9a-f]{32}", odd.headers["x-request-id"])
    assert live.http.get("/v1/audio/speech").status_code == 405


def test_a_body_over_the_limit_is_refused(start: Start):
    with start(limits={"body_mb": 0.1}) as live:
        body = {"input": "x" * 200_000, "voice": "anna"}
        assert live.http.post("/v1/audio/speech", json=body).status_code == 413

        def pieces():  # no length is announced
            for _ in range(40):
                yield b" " * 5000

        assert live.http.post("/v1/audio/speech", content=pieces()).status_code == 413
        assert len(live.samples())


def test_no_text_stands_in_the_log(live: Live, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, logger="GPT_SoVITS.server"):
        live.samples(input="A secret\nsentence \x1b[31m.")
        # the line is written after the reply was sent
        wait_for(lambda: any(one.getMessage() == "request" for one in caplog.records))
    lines = [JsonLines().format(record) for record in caplog.records]
    assert lines and all("\n" not in line and "\x1b" not in line for line in lines)
    assert all("secret" not in line for line in lines)
    requests = [json.loads(line) for line in lines if '"event": "request"' in line]
    assert requests[-1]["status"] == 200 and requests[-1]["request_id"]


def test_settings_file_environment_flags_in_this_order(tmp_path: Path):
    file = tmp_path / "serve.yaml"
    file.write_text("port: 1000\nlimits: {queue: 5, running: 3}\n", encoding="utf-8")
    given = ["--config", str(file)]
    environment = {"GPT_SOVITS_PORT": "2000", "GPT_SOVITS_LIMITS__QUEUE": "7"}
    config = read_config(given, environment)
    assert (config.port, config.limits.queue, config.limits.running) == (2000, 7, 3)
    assert read_config([*given, "--port", "3000"], environment).port == 3000


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["--host", "0.0.0.0"], "token"),
        (["--compat", "api_v2,character_list"], "both own /tts"),
        (["--compat", "soap"], "compat"),
        (["--limits.queue", "-1"], "queue"),
        (["--quue", "1"], "quue"),
        (["--token", "short"], "8 characters"),
    ],
)
def test_wrong_settings_end_the_start(
    given: list[str], word: str, capsys: pytest.CaptureFixture[str]
):
    try:
        code = main(given)
    except SystemExit as end:
        code = int(str(end.code))
    assert code == 2
    assert word in capsys.readouterr().err


def test_a_config_cannot_build_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "serve.yaml"
    file.write_text("host: !!python/object/apply:os.system ['touch marker']\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        read_config(["--config", str(file)], {})
    assert not (tmp_path / "marker").exists() and not Path("marker").exists()


def test_published_ports_follow_the_apis():
    assert ServeConfig().chosen_port == 9880
    assert ServeConfig(compat="openai,character_list").chosen_port == 8000
    assert ServeConfig(compat="openai", port=5000).chosen_port == 5000
