"""`kill -9` anywhere, then run again: the same tree.

    python -m tests.prepare_datasets.kill_points --kills 100 [--seed 0] [--workers 1]

Each trial starts from nothing, kills the run (a forked process and its workers) after a random
share of the time a whole run takes, runs again to the end, and compares every file; runs that end
before they are killed do not count. Prints JSON; exit code 1 where a tree differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.prepare_datasets.runs import prepare, tree
from tests.prepare_datasets.sounds import write_corpus

TOO_LATE = "after the end"
CARD = ["--card", "true"]


def in_child(raw: Path, output: Path, options: list[str]) -> int:
    """Start a run in a process group of its own; its process id."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os._exit(prepare(raw, output, *options))
    os.setpgid(child, child)
    return child


def trial(raw: Path, output: Path, options: list[str], *, after: float) -> str:
    """Kill a run after so many seconds, run again to the end; where it was killed."""
    child = in_child(raw, output, options)
    time.sleep(after)
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    where = progress(output) if os.WIFSIGNALED(status) else TOO_LATE
    child = in_child(raw, output, options)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, f"second run: {status}"
    return where


def progress(output: Path) -> str:
    """The first part that is not finished."""
    for part in ("1_dialogues/found", "2_text/step", "3_speech/step", "3_speech/features/step"):
        if not (output / f"{part}.json").exists():
            return part.rpartition("/")[0]
    for part in ("4_semantic", "5_sequences"):
        if not (output / part / "step.json").exists():
            return part
    return "at the end"


def run(folder: Path, *, kills: int, seed: int, workers: int = 1, dialogues: int = 12) -> dict:
    """The result of so many trials."""
    raw = write_corpus(folder / "raw", dialogues=dialogues)
    options = [*CARD, "--workers", str(workers)]
    prepare(raw, folder / "warm", *options)  # what is loaded here, children need not load
    start = time.perf_counter()
    os.waitpid(in_child(raw, folder / "whole", options), 0)
    seconds = time.perf_counter() - start
    expected = tree(folder / "whole")
    rng, where = random.Random(seed), Counter[str]()
    different: list[list[str]] = []
    while where.total() - where[TOO_LATE] < kills:
        output = folder / "killed"
        shutil.rmtree(output, ignore_errors=True)
        place = trial(raw, output, options, after=rng.uniform(0.02, seconds))
        where[place] += 1
        if place == TOO_LATE:  # the machine is quicker now: this was no kill
            seconds *= 0.95
        got = tree(output)
        if got != expected:
            different.append(sorted(n for n in got | expected if got.get(n) != expected.get(n)))
    return {
        "kills": kills,
        "different_trees": len(different),
        "differences": different[:5],
        "files": len(expected),
        "seconds_of_a_run": round(seconds, 2),
        "killed_in": dict(sorted(where.items())),
    }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), kills=values.kills, seed=values.seed, workers=values.workers)
    print(json.dumps(result))
    return 1 if result["different_trees"] else 0


if __name__ == "__main__":
    sys.exit(main())
