"""Kill a training 20 times and compare: `python -m tests.check_resume --stage s1 --data data/demo`.

    one run                step 0 ------------------------------------------------> N
    the other   step 0 ----x        x kill -9 after a random time, then the same command again
                         -------x
                             --x        … until it is at step N

Weights, loss curve and metrics of both must be the same bytes (CPU, fp32). The moments are random
in time, so that some fall into the writing of a checkpoint or of the metrics.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.training.tiny import arguments


def main(given: Sequence[str] | None = None) -> int:
    """Print a JSON line; exit code 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=("s1", "s2"), required=True)
    parser.add_argument("--data", type=Path, default=Path("data/demo"), help="a prepared corpus")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=400, help="of the training")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        found = compare(args.stage, args.data, Path(folder), args.kills, args.steps, args.seed)
    print(json.dumps({"stage": args.stage, "steps": args.steps, **found}))
    return 0 if found["identical"] else 1


def compare(
    stage: str, data: Path, folder: Path, kills: int, steps: int, seed: int
) -> dict[str, object]:
    """Both runs, and whether they are the same."""
    draw = random.Random(seed)
    subprocess.run(command(stage, data, folder / "whole", steps), check=True, **quiet())
    # Each piece gets its share of the steps, and is stopped some milliseconds after the last.
    marks = sorted(draw.sample(range(1, steps - 1), kills))
    done = []
    for mark in marks:
        child = subprocess.Popen(
            command(stage, data, folder / "cut", steps), start_new_session=True, **quiet()
        )
        reached = wait_for(folder / "cut" / stage / "metrics.jsonl", mark, child)
        time.sleep(draw.random() * 0.1)
        if child.poll() is not None:
            break
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        done.append(reached)
    subprocess.run(command(stage, data, folder / "cut", steps), check=True, **quiet())
    names = (f"talker/{stage}.safetensors", f"{stage}/metrics.jsonl")
    same = {
        n: (folder / "whole" / n).read_bytes() == (folder / "cut" / n).read_bytes() for n in names
    }
    return {"kills": len(done), "after_steps": done, "identical": all(same.values()), **same}


def command(stage: str, data: Path, run: Path, steps: int) -> list[str]:
    """A tiny training that saves every second step, and writes every step's loss."""
    return [sys.executable, f"train_{stage}.py", *arguments(stage, data, run, steps)]


def quiet() -> dict[str, object]:
    """One thread and no words."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def wait_for(log: Path, step: int, child: subprocess.Popen) -> int:
    """The last step in the metrics once it is at least `step`, or the training has ended."""
    while child.poll() is None:
        if log.exists() and (last := last_step(log)) >= step:
            return last
        time.sleep(0.01)
    return last_step(log)


def last_step(log: Path) -> int:
    """Of whole lines."""
    text = log.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    return int(json.loads(lines[-1])["step"]) if lines else 0


if __name__ == "__main__":
    raise SystemExit(main())
