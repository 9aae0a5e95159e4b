"""The load benchmark, short: a hundred clients, and what must hold whatever the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_clients_get_what_one_gets(talker_folder: Path, tmp_path: Path):
    command = [sys.executable, "-m", "benchmarks.server_load", "--model", str(talker_folder)]
    command += ["--clients", "100", "--seconds", "6", "--requests", "6"]
    command += ["--limits.reply_seconds", "1.5", "--output", str(tmp_path / "load.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report == json.loads((tmp_path / "load.json").read_text(encoding="utf-8"))
    assert set(report["statuses"]) == {"200", "429"}
    assert report["hung"] == 0 and report["different_from_alone"] == 0
    assert report["together"]["tokens_per_step"] > 1.5, "replies share their steps"
    assert report["healthz_ms"]["n"] > 20
