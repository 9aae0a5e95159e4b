"""The parent of one job: `python -m GPT_SoVITS.studio.job_runner FOLDER LOCK`.

It outlives the studio. It starts the job's command (no shell), waits, and writes how it ended:

    job.json       what was asked (written by the studio)
    running.json   {"pid": …, "started": …}
    log.txt        what the command says
    waiting        is there while another job has the device
    stop           is there when a person asked to stop
    ended.json     {"code": …, "ended": …}
    lock           held (flock) as long as this process or the command lives

The lock came with this process, so there is no moment in which a living job looks dead, and a
number of a process that has ended is never taken for the job.

Jobs that are `alone` (trainings) take turns: two at once would have half a machine, or half a GPU,
each. A command that dies of a signal nobody asked for (out of memory, a crash) is started once
more: every command goes on from what is finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from GPT_SoVITS.atomic import write_text

GRACE_SECONDS = 30.0
"""How long a command may take to stop by itself before it is ended."""
RESTARTS = 1
LOOK_SECONDS = 0.2


def main(arguments: list[str]) -> int:
    """Run the job in a folder to its end."""
    folder, lock = Path(arguments[0]), int(arguments[1])
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    asked: list[float] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.append(time.monotonic()))
    write_json(folder / "running.json", {"pid": os.getpid(), "started": time.time()})
    with (folder / "log.txt").open("ab") as log, (folder.parent / "device.lock").open("wb") as turn:
        code = 0
        if job.get("alone"):
            code = _take_turn(turn, folder / "waiting", asked)
        for attempt in range(1 + RESTARTS):
            if asked:
                break
            code = _attempt(job, log, (lock, turn.fileno()), asked)
            if code >= 0 or asked:
                break
            last = attempt == RESTARTS
            then = "that was the second time" if last else "it is started once more"
            log.write(f"--- ended by signal {-code}; {then} ---\n".encode())
            log.flush()
    write_json(folder / "ended.json", {"code": code, "ended": time.time()})
    return 0


def _take_turn(turn: IO[bytes], waiting: Path, asked: list[float]) -> int:
    """Wait until no other job has the device; the exit code of one that was stopped before."""
    try:
        while not asked:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return 0
            except BlockingIOError:
                waiting.touch()
                time.sleep(LOOK_SECONDS)
        return 130
    finally:
        waiting.unlink(missing_ok=True)


def _attempt(
    job: dict[str, Any], log: IO[bytes], locks: tuple[int, ...], asked: list[float]
) -> int:
    """Start the command and wait for its end; the locks are held as long as it lives."""
    try:
        child = subprocess.Popen(
            job["command"],
            cwd=job["folder"],
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=locks,
        )
    except OSError as error:
        log.write(f"error: the command could not be started: {error}\n".encode())
        return 127
    return _wait(child, asked)


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
    write_text(path, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
