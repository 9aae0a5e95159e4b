"""Schemathesis against our own OpenAPI document: whatever it sends, never a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis

from tests.server.conftest import Live, Start

TOKEN = "a-token-of-some-length"
HEAD = {"Authorization": f"Bearer {TOKEN}"}
SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module", params=["openai,api_v2", "openai,character_list"])
def fuzzed(request: pytest.FixtureRequest, start: Start) -> Iterator[Live]:
    """A server with replies of a fifth of a second; its owner's token opens every route."""
    limits = {"reply_seconds": 0.2, "text_characters": 40, "dialogues": 4}
    with start(compat=request.param, token=TOKEN, limits=limits) as live:
        yield live


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_input_is_a_server_error(fuzzed: Live):
    schema = schemathesis.openapi.from_url(fuzzed.url + "/openapi.json", headers=HEAD)
    fuzz(fuzzed, [found.ok() for found in schema.get_all_operations()], examples=60)


def fuzz(live: Live, operations: list[Any], *, examples: int) -> None:
    """So many generated requests to every operation, but for the one that stops the server."""
    asked = 0
    for operation in operations:
        if operation.path == "/admin/drain":
            continue

        @hypothesis.settings(SETTINGS, max_examples=examples)
        @hypothesis.given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            nonlocal asked
            asked += 1
            answer = case.call(headers=HEAD, timeout=60)
            assert answer.status_code < 500, (case.as_curl_command(), answer.text)

        holds()
    assert asked > len(operations)
    assert live.http.get("/readyz").status_code == 200


def test_the_document_names_every_route(fuzzed: Live):
    paths = fuzzed.http.get("/openapi.json").json()["paths"]
    common = {"/healthz", "/readyz", "/metrics", "/v1/audio/speech", "/v1/models", "/v1/voices",
              "/v1/dialogues", "/v1/dialogues/{number}/respond", "/tts"}  # fmt: skip
    assert common <= set(paths)
    names = {one["name"] for one in paths["/tts"]["get"]["parameters"]}
    assert names > {"text", "speed_factor", "seed", "ref_audio_path"}
