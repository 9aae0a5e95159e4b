"""Kill a training 20 times and compare: `python -m tests.check_resume --stage s1 --data data/demo`.

    one run                step 0 ------------------------------------------------> N
    the other   step 0 ----x        x kill -9 after a random time, then the same command again
                         -------x
                             --x        … until it is at step N

Weights, loss curve and metrics of both must be the same bytes (CPU, fp32). The moments are random
in time, so that some fall into the writing of a checkpoint or of the metrics. Each piece is a
process of its own, forked once the libraries are loaded.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.training import train_s1, train_s2
from tests.training.tiny import arguments

MAIN = {"s1": train_s1.main, "s2": train_s2.main}
Process = Any


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
    torch.set_num_threads(1)
    draw = random.Random(seed)
    finish(started(stage, data, folder / "whole", steps))
    done = []
    for mark in sorted(draw.sample(range(1, steps - 1), kills)):
        child = started(stage, data, folder / "cut", steps)
        reached = wait_for(folder / "cut" / stage / "metrics.jsonl", mark, child)
        time.sleep(draw.random() * 0.1)  # anywhere in the steps after it
        if not child.is_alive():
            break
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        done.append(reached)
    finish(started(stage, data, folder / "cut", steps))
    same = {
        name: (folder / "whole" / name).read_bytes() == (folder / "cut" / name).read_bytes()
        for name in (f"talker/{stage}.safetensors", f"{stage}/metrics.jsonl")
    }
    return {"kills": len(done), "after_steps": done, "identical": all(same.values()), **same}


def started(stage: str, data: Path, run: Path, steps: int) -> Process:
    """A tiny training that saves every second step and writes every step's loss."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_train, args=(stage, arguments(stage, data, run, steps)))
    process.start()
    return process


def _train(stage: str, given: list[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    MAIN[stage](given)


def finish(process: Process) -> None:
    """Wait for the end of a training that has to succeed."""
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the training ended with {process.exitcode}")


def wait_for(log: Path, step: int, process: Process) -> int:
    """The last step in the metrics once it is at least `step`, or the training has ended."""
    while process.is_alive():
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
