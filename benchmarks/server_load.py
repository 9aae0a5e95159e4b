"""Many clients at once against a server of its own; the last line is a JSON object.

    python -m benchmarks.server_load --clients 100 --seconds 60 [--model runs/demo/talker]

Without a model, a small one of random weights speaks 2 s in every reply (s1: 4 layers of 192).

The same requests are spoken one by one, before and after. In between every client asks for them
in turn until the time is over, and comes back after a 429. What is measured: statuses, equality
with the replies spoken alone byte for byte, speech per second and per processor second of the
server, tokens per processor second of the decoding thread, the server's memory, and how long
`/healthz` takes meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.machine import cpu

WORDS = (
    "your parcel left the warehouse this morning and should arrive before noon tomorrow "
    "please call me again when it does not come I will look for it at once".split()
)
HUNG_SECONDS = 90.0
READY_SECONDS = 240.0


def small_talker(place: Path) -> Path:
    """A talker whose replies all take the same work, shared between the stages as usual."""
    from GPT_SoVITS.s1_gpt.config import S1Config
    from tests.tiny_talker import write_tiny_talker

    s1 = S1Config(hidden_dim=192, n_head=4, n_layer=4)
    return write_tiny_talker(place, s1=s1, options={"max_seconds": 2.0, "eos_guard": 50})


def requests_of(n: int) -> list[dict[str, Any]]:
    """Texts of 4 to 12 words, each with its seed."""
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) + "." for _ in range(n)]
    common = {"response_format": "wav", "stream": False}
    return [{"input": text, "seed": k, **common} for k, text in enumerate(texts)]


@contextlib.contextmanager
def served(model: Path, options: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    """A server process on a free port -> its address; it ends with SIGTERM."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "GPT_SoVITS", "serve", "--model", str(model)]
    command += ["--port", str(port), "--compat", "openai", *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(url + "/readyz").status_code == 200:
                    break
            if process.poll() is not None:
                raise SystemExit(f"the server ended with {process.returncode}")
            if time.monotonic() > until:
                raise SystemExit(f"the server was not ready within {READY_SECONDS:g} s")
            time.sleep(0.1)
        yield url, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


class Load:
    """The two phases and what is watched meanwhile."""

    def __init__(self, url: str, process: psutil.Process, asked: list[dict[str, Any]]) -> None:
        self._process, self._asked = process, asked
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
        self._http = httpx.AsyncClient(base_url=url, timeout=HUNG_SECONDS, limits=limits)
        self.statuses: collections.Counter[int] = collections.Counter()
        self.hung = self.different = 0
        self._alone: list[bytes] = []
        self.health: list[float] = []
        self.memory: list[float] = []

    async def metrics(self) -> dict[str, float]:
        """The counters read here."""
        text = (await self._http.get("/metrics")).text
        found = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        names = ("semantic_tokens_total", "decoding_seconds_total", "decoding_steps_total",
                 "audio_seconds_total")  # fmt: skip
        return {name: float(found["gpt_sovits_" + name]) for name in names}

    async def measured(self, phase: Any) -> dict[str, float]:
        """A phase's rates: replies, audio and tokens per second of wall and of decoding time."""
        before, started, replies = await self.metrics(), time.perf_counter(), self.statuses[200]
        worked = sum(self._process.cpu_times()[:2])
        await phase
        seconds = time.perf_counter() - started
        worked = sum(self._process.cpu_times()[:2]) - worked
        grown = {name: value - before[name] for name, value in (await self.metrics()).items()}
        tokens = grown["semantic_tokens_total"]
        return {
            "seconds": round(seconds, 2),
            "replies_per_s": round((self.statuses[200] - replies) / seconds, 2),
            "audio_s_per_s": round(grown["audio_seconds_total"] / seconds, 2),
            "audio_s_per_cpu_s": round(grown["audio_seconds_total"] / worked, 2),
            "s1_tokens_per_cpu_s": round(tokens / grown["decoding_seconds_total"], 1),
            "tokens_per_step": round(tokens / grown["decoding_steps_total"], 2),
            "cpu_s_per_s": round(worked / seconds, 2),
        }

    async def warm(self) -> None:
        """First use loads dictionaries; it counts for neither phase."""
        await self._ask(self._asked[0])
        self.statuses.clear()

    async def alone(self) -> None:
        """Every request after the other."""
        self._alone = [(await self._ask(body)).content for body in self._asked]

    async def together(self, clients: int, seconds: float) -> None:
        """All clients until the time is over."""
        until = time.perf_counter() + seconds
        watching = [asyncio.create_task(self._watch()), asyncio.create_task(self._weigh())]
        await asyncio.gather(*(self._client(number, until) for number in range(clients)))
        for task in watching:
            task.cancel()

    async def _client(self, number: int, until: float) -> None:
        rng = random.Random(number)
        while time.perf_counter() < until:
            at = rng.randrange(len(self._asked))
            try:
                answer = await self._ask(self._asked[at])
            except httpx.TimeoutException:
                self.hung += 1
                continue
            if answer.status_code == 200:
                self.different += answer.content != self._alone[at]
            elif answer.status_code == 429:
                wait = float(answer.headers["retry-after"]) * rng.uniform(0.5, 1.0)
                await asyncio.sleep(max(0.0, min(wait, until - time.perf_counter())))

    async def _ask(self, body: dict[str, Any]) -> httpx.Response:
        answer = await self._http.post("/v1/audio/speech", json=body)
        self.statuses[answer.status_code] += 1
        return answer

    async def _watch(self) -> None:
        while True:
            started = time.perf_counter()
            assert (await self._http.get("/healthz")).status_code == 200
            self.health.append(time.perf_counter() - started)
            await asyncio.sleep(0.02)

    async def _weigh(self) -> None:
        while True:
            self.memory.append(self._process.memory_info().rss / 2**20)
            await asyncio.sleep(0.5)


async def run(url: str, process: psutil.Process, arguments: argparse.Namespace) -> dict[str, Any]:
    """Both phases -> the report."""
    load = Load(url, process, requests_of(arguments.requests))
    await load.warm()
    alone = await load.measured(load.alone())
    load.statuses.clear()
    together = await load.measured(load.together(arguments.clients, arguments.seconds))
    statuses = dict(load.statuses)
    again = await load.measured(load.alone())  # whether the machine was as quiet at the end
    mean = {name: (alone[name] + again[name]) / 2 for name in alone}
    half, health = len(load.memory) // 2, sorted(load.health)
    first, last = load.memory[half // 2 : half], load.memory[-(half // 2) :]
    return {
        "alone": alone,
        "alone_again": again,
        "together": together,
        "ratios": {
            name: round(together[name] / mean[name], 2)
            for name in ("audio_s_per_s", "audio_s_per_cpu_s", "s1_tokens_per_cpu_s")
        },
        "statuses": statuses,
        "hung": load.hung,
        "different_from_alone": load.different,
        "healthz_ms": {
            "n": len(health),
            "p50": round(1000 * statistics.median(health), 1),
            "p99": round(1000 * health[int(0.99 * len(health))], 1),
        },
        "memory_mb": {
            "second_quarter": round(statistics.mean(first), 1),
            "last_quarter": round(statistics.mean(last), 1),
        },
        "cpu": cpu(),
    }


def main() -> None:
    """Serve, load, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="talker folder; default: a small random one")
    parser.add_argument("--clients", type=int, default=100, help="connections at once")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the load")
    parser.add_argument("--requests", type=int, default=8, help="different requests")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    arguments, options = parser.parse_known_args()  # what is left goes to `serve`
    with tempfile.TemporaryDirectory() as place:
        model = arguments.model or small_talker(Path(place))
        with served(model, options) as (url, process):
            report = asyncio.run(run(url, process, arguments))
    if arguments.output:
        text = json.dumps(report, indent=2)
        arguments.output.write_text(text + "\n", encoding="utf-8")
    if not arguments.json:
        for name, found in report.items():
            print(f"{name}: {found}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
