"""Benchmarks of speaking: what they count, and that their last line is one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.s2_decode import generator_operations
from GPT_SoVITS.s2_vits.config import S2Config
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("version, gflop", [("v2", 40.66), ("v2ProPlus", 91.54)])
def test_operations_of_the_generator(version: str, gflop: float) -> None:
    """Counted on the published modules: 20.328 and 45.768 GMAC per second of sound."""
    assert generator_operations(S2Config.published(version)) / 1e9 == pytest.approx(gflop, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, wanted",
    [
        ("s2_decode", ["--seconds", "0.5", "--rounds", "1", "--repeats", "1"], "fp32"),
        ("first_chunk", ["--seconds", "1.5", "--rounds", "1"], "first_chunk_share"),
        ("end_to_end", ["--seconds", "0.6", "--rounds", "1"], "rows"),
    ],
)
def test_the_last_line_is_one_json_object(name: str, options: list[str], wanted: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json", "--threads", "1", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert wanted in report and report["peak_memory_mb"] > 0 and "cpu_flags" in report
