"""Importing the server has no side effects (bad inputs S17): nothing written, nobody called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.test_architecture import modules_of

PROGRAM = """
import importlib, sys
refused = []
WRITING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate",
           "os.chmod", "tempfile.mkstemp", "tempfile.mkdtemp", "shutil.copyfile", "shutil.rmtree"}
ASKING = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
          "socket.sendto", "urllib.Request", "http.client.connect", "subprocess.Popen", "os.system"}
def audit(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    writes = writes and arguments[0] != "/dev/null"
    if writes or event in WRITING | ASKING:
        refused.append((event, repr(arguments)[:200]))
        raise RuntimeError(f"{event} {arguments}")
sys.dont_write_bytecode = True
sys.addaudithook(audit)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(refused)
"""


def imported(modules: list[str], home: Path) -> str:
    """Import in a new interpreter that may neither write nor call -> what was tried."""
    away = {"HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *modules],
        cwd=home,
        env=os.environ | away,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert not list(home.iterdir())
    return run.stdout.strip()


def test_importing_the_server_writes_nothing_and_calls_nobody(tmp_path: Path):
    modules = modules_of("server", "inference", "checkpoints", "text", "audio", "adapters")
    assert "GPT_SoVITS.server.app" in modules and "GPT_SoVITS.inference.talker" in modules
    assert imported(modules, tmp_path) == "[]"


def test_the_check_sees_what_it_forbids(tmp_path: Path):
    for module, line in (
        ("writes", "open('x', 'w')"),
        ("calls", "import socket; socket.create_connection(('127.0.0.1', 9))"),
        ("starts", "import subprocess; subprocess.run(['true'])"),
    ):
        (tmp_path / module).mkdir()
        code = f"try:\n    {line}\nexcept RuntimeError:\n    pass\n"
        (tmp_path / module / "bad_module.py").write_text(code, encoding="utf-8")
        program = PROGRAM.replace(
            "import importlib, sys", "import importlib, sys; sys.path[:0] = ['.']"
        )
        run = subprocess.run(
            [sys.executable, "-c", program, "bad_module"],
            cwd=tmp_path / module,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0 and run.stdout.strip() != "[]", module
