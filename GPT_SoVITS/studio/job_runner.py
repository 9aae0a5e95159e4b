"""The parent of one job: `python -m GPT_SoVITS.studio.job_runner FOLDER LOCK`.

It outlives the studio. It starts the job's command (no shell), waits, and writes how it ended:

    job.json       what was asked (written by the studio)
    running.json   {"pid": …, "started": …}
    log.txt        what the command says
    stop           is there when a person asked to stop
    ended.json     {"code": …, "ended": …}
    lock           held (flock) as long as this process or the command lives

The lock came with this process, so there is no moment in which a living job looks dead, and a
number of a process that has ended is never taken for the job.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

GRACE_SECONDS = 30.0
"""How long a command may take to stop by itself before it is ended."""


def main(arguments: list[str]) -> int:
    """Run the job in a folder to its end."""
    folder, lock = Path(arguments[0]), int(arguments[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    asked: list[float] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.append(time.monotonic()))
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with (folder / "log.txt").open("ab") as log:
        try:
            child = subprocess.Popen(
                job["command"],
                cwd=job["folder"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
            )
        except OSError as error:
            log.write(f"error: the command could not be started: {error}\n".encode())
            write_json(folder / "ended.json", {"code": 127, "ended": time.time()})
            return 127
        write_json(folder / "running.json", {"pid": os.getpid(), "started": time.time()})
        code = _wait(child, asked)
    write_json(folder / "ended.json", {"code": code, "ended": time.time()})
    return 0


def _wait(child: subprocess.Popen[bytes], asked: list[float]) -> int:
    """The command's exit code; a command that was asked to stop and does not is ended."""
    while True:
        try:
            return child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            if asked and time.monotonic() - asked[0] > GRACE_SECONDS:
                child.kill()


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Complete or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
