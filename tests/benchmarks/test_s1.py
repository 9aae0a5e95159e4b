"""Stage 1's benchmarks run at a small size and end with one JSON object."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from benchmarks import s1_cuda, s1_decode, session


def last_line(capsys: pytest.CaptureFixture[str]) -> dict:
    """The JSON object a benchmark ends with."""
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def called(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """The command line; one probe of memory is enough here."""
    monkeypatch.setattr(sys, "argv", ["benchmark", *words])
    monkeypatch.setattr("benchmarks.machine.read_bandwidth", lambda: 10.0)


def test_s1_decode(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--threads", "1", "--tokens", "4", "--rounds", "1", "--contexts", "50"]
    called(monkeypatch, *words, "--fidelity-tokens", "5", "--batch", "2", "--json")
    s1_decode.main()
    report = last_line(capsys)
    found = report["contexts"]["50"]
    assert found["fp32_says_what_plain_says"] is True
    for speed in ("median", "quiet"):
        assert set(found["int8"][speed]) >= {"ms_per_token", "times_plain", "bandwidth_share"}
    assert report["cpu"] and report["read_gb_per_s"]


def test_session(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called(monkeypatch, "--threads", "1", "--turns", "2", "4", "--seconds", "0.4", "--repeats", "1")
    session.main()
    report = last_line(capsys)
    assert list(report["turns_ms"]) == ["2", "4"] and len(report["accepted"]) == 2
    assert report["turns_ms"]["4"]["columns"] == 3 * 15 + 5


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what it does without a CUDA device")
def test_s1_cuda_says_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called(monkeypatch, "--json")
    assert s1_cuda.main() == 1
    assert "no CUDA device" in last_line(capsys)["error"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: graphs, speeds")
def test_s1_cuda(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called(monkeypatch, "--tokens", "32", "--batch", "1", "2", "--gates", "1", "257")
    assert s1_cuda.main() == 0
    accepted = last_line(capsys)["accepted"]
    assert accepted["logit_errors < 1e-05"] and accepted["greedy_tokens_equal"]
