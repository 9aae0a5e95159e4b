"""Importing and using the frontend: no network, nothing written, no torch; threads share one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from GPT_SoVITS.text import Frontend, TextConfig
from GPT_SoVITS.text.once import once

PROGRAM = """
import socket, sys
refused = []
def audit(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        refused.append(event)
        raise RuntimeError("network: " + event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        refused.append(f"{event} {arguments[0]} {arguments[1]}")
        raise RuntimeError("write: " + str(arguments[0]))
    if event in ("os.mkdir", "os.rename", "os.remove", "tempfile.mkstemp", "tempfile.mkdtemp"):
        refused.append(event)
        raise RuntimeError("write: " + event)
sys.dont_write_bytecode = True
sys.addaudithook(audit)
import GPT_SoVITS.text
assert not {"torch", "jieba", "pypinyin", "opencc", "numpy", "g2p_en", "nltk"} & set(sys.modules)
frontend = GPT_SoVITS.text.Frontend()
assert "jieba" not in sys.modules
frontend("你好, hello qzxvbk 繁體 3:30")
assert not {"torch", "g2p_en", "nltk"} & set(sys.modules), "heavy modules"
assert not refused, refused
"""


def test_import_and_first_call_need_no_network_write_nothing_and_load_no_torch(
    tmp_path, repository
):
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(repository),
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert list(Path(tmp_path).iterdir()) == []


TEXTS = [f"我有{n}个iPhone {n}, it's {n}:30 now, 重庆第{n}次。" for n in range(1, 13)] * 3


def test_threads_that_share_a_frontend_speak_as_one_thread_does():
    shared = Frontend(TextConfig())
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(shared, TEXTS))
    alone = Frontend(TextConfig())
    assert together == [alone(text) for text in TEXTS]


FIRST_CALLS = """
from concurrent.futures import ThreadPoolExecutor
from GPT_SoVITS.text import Frontend
frontend = Frontend()
texts = ["重庆的银行行长", "我想买两把雨伞", "read the qzxvb record", "繁體中文"] * 4
with ThreadPoolExecutor(8) as pool:
    first = list(pool.map(frontend, texts))
assert first == [frontend(text) for text in texts]
"""


def test_threads_may_make_the_first_call_together(repository):
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    command = [sys.executable, "-c", FIRST_CALLS]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]


def test_a_dictionary_is_made_once_for_threads_that_ask_together():
    made, together = [], threading.Barrier(4)

    @once
    def load(name: str) -> str:
        made.append(name)
        return name.upper()

    def ask(name: str) -> str:
        together.wait()
        return load(name)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, ["a", "b", "a", "b"])) == ["A", "B", "A", "B"]
    assert sorted(made) == ["a", "b"]
