"""Long work as child processes that outlive a page, a browser and the studio itself.

    jobs = Jobs(Path("runs/studio/jobs"))
    job = jobs.start("train", "s1 on demo", [sys.executable, "-m", …])
    jobs.all("train"), job.state, job.tail(), jobs.stop(job), jobs.resume(job)

A job is a folder (see job_runner.py); nothing about it is kept in memory. Stopping is asked for
with SIGINT, which every command of this package takes as "leave what is finished and end".
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.job_runner import write_json

State = Literal["waiting", "running", "stopping", "done", "noted", "stopped", "failed", "lost"]
LIVE: tuple[State, ...] = ("waiting", "running", "stopping")
TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Job:
    """One piece of work: what was asked. How it goes is read from its folder each time."""

    place: Path
    kind: str
    title: str
    command: tuple[str, ...]
    created: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the page that started it wants to know later, e.g. {"run": …, "steps": 500}."""

    @property
    def id(self) -> str:
        """Name of the job's folder."""
        return self.place.name

    @property
    def state(self) -> State:
        """`noted`: ended with the exit code that means "done, but look"; `lost`: the machine went
        down under it."""
        asked = (self.place / "stop").exists()
        if self._lives():
            if asked:
                return "stopping"
            return "waiting" if (self.place / "waiting").exists() else "running"
        ended = self.ended()
        if ended is None:
            return "stopped" if asked else "lost"
        if ended["code"] == 0:
            return "done"
        if ended["code"] == self.facts.get("noted"):
            return "noted"
        return "stopped" if asked else "failed"

    @property
    def lives(self) -> bool:
        """Whether it still works."""
        return self.state in LIVE

    def ended(self) -> dict[str, Any] | None:
        """{"code", "ended"} of a job that came to its end."""
        return _read(self.place / "ended.json")

    def seconds(self) -> float:
        """How long the latest attempt has worked, or did."""
        started, ended = _read(self.place / "running.json"), self.ended()
        if started is None:
            return 0.0
        return float(max(0.0, (ended["ended"] if ended else time.time()) - started["started"]))

    def log(self) -> str:
        """The last part of what the command said, with progress lines reduced to their last."""
        path = self.place / "log.txt"
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        lines = [line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in text.split("\n")]
        return "\n".join(line for line in lines if line)

    def tail(self, lines: int = 12) -> str:
        """Its last lines."""
        return "\n".join(self.log().splitlines()[-lines:])

    def _lives(self) -> bool:
        try:
            with (self.place / "lock").open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


class Jobs:
    """The jobs folder. Any number of studios may look at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._children: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        kind: str,
        title: str,
        command: Sequence[str],
        *,
        facts: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        alone: bool = False,
    ) -> Job:
        """Start a command (a list of words, never a shell line) and remember it.

        `alone`: it waits until no other such job works.
        """
        name = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(4)
        place = self.folder / name
        place.mkdir(parents=True, mode=0o700)
        asked = {
            "schema_version": 1,
            "kind": kind,
            "title": title,
            "command": [str(word) for word in command],
            "folder": str(folder or Path.cwd()),
            "created": time.time(),
            "facts": dict(facts or {}),
            "alone": alone,
        }
        write_json(place / "job.json", asked)
        self._launch(place)
        return self.get(name)

    def resume(self, job: Job) -> Job:
        """The same command again: every command of the package goes on from what is finished.

        Raises `StudioError`.
        """
        if job.lives:
            raise StudioError(f"{job.title} still works; there is nothing to resume")
        for name in ("stop", "waiting", "ended.json", "running.json"):
            (job.place / name).unlink(missing_ok=True)
        with (job.place / "log.txt").open("a", encoding="utf-8") as log:
            log.write("--- resumed ---\n")
        self._launch(job.place)
        return self.get(job.id)

    def stop(self, job: Job) -> None:
        """Ask it to end; it keeps what is finished, and is ended after half a minute.

        Raises `StudioError`.
        """
        if not job.lives:
            raise StudioError(f"{job.title} has already ended")
        running = _read(job.place / "running.json")
        if running is None:
            raise StudioError(f"{job.title} is just starting; try again in a second")
        (job.place / "stop").touch()
        os.killpg(int(running["pid"]), signal.SIGINT)

    def get(self, name: str) -> Job:
        """A job by its folder's name. Raises `StudioError`."""
        if not re.fullmatch(r"[\w-]+", name or ""):
            raise StudioError("choose a job in the list")
        asked = _read(self.folder / name / "job.json")
        if asked is None:
            raise StudioError("this job is no longer there; reload the page")
        command = tuple(asked["command"])
        facts = asked.get("facts", {})
        place = self.folder / name
        return Job(place, asked["kind"], asked["title"], command, asked["created"], facts)

    def all(self, *kinds: str) -> list[Job]:
        """Jobs of these kinds, newest first."""
        self._children = [child for child in self._children if child.poll() is None]
        if not self.folder.is_dir():
            return []
        names = sorted(p.name for p in self.folder.iterdir() if (p / "job.json").is_file())
        found = [self.get(name) for name in reversed(names)]
        return [job for job in found if not kinds or job.kind in kinds]

    def _launch(self, place: Path) -> None:
        """The runner in a session of its own; its lock is taken here, so there is no gap."""
        with (place / "lock").open("wb") as lock:
            _take(lock)
            module = "GPT_SoVITS.studio.job_runner"
            command = [sys.executable, "-m", module, str(place), str(lock.fileno())]
            with (place / "log.txt").open("ab") as log:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(lock.fileno(),),
                )
        self._children.append(child)  # reaped by all()


def _take(lock: IO[bytes]) -> None:
    """Hold a job's lock; somebody who only looks holds it for an instant."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.05)
    raise StudioError("this job was just started by somebody else")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        fields: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))
        return fields
    except (FileNotFoundError, NotADirectoryError):
        return None
