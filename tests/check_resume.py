"""Kill a training 20 times and compare: `python -m tests.check_resume --stage s1 --data data/demo`.

    one run                step 0 ------------------------------------------------> N
    the other   step 0 ----x        x kill -9 after a random time, then the same command again
                         -------x
                             --x        … until it is at step N

Weights, loss curve and metrics of both must be the same bytes (CPU, fp32). The moments are random
in time, so that some fall into the writing of a checkpoint or of the metrics. Each piece is a
process of its own, forked once the libraries are loaded. Arguments after -- go to the training:
`-- --trainer.ema 0.9 --data.num_workers 2`, `-- --run.init_from runs/demo/talker --lora.rank 4`.
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
from dataclasses import dataclass
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
    parser.add_argument("more", nargs="*", help="after --: further arguments of the training")
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        training = Training(args.stage, args.data, args.steps, tuple(args.more))
        found = compare(training, Path(folder), args.kills, args.seed)
    print(json.dumps({"stage": args.stage, "steps": args.steps, **found}))
    return 0 if found["identical"] else 1


@dataclass(frozen=True)
class Training:
    """A tiny training that saves every second step and writes every step's loss."""

    stage: str
    data: Path
    steps: int
    more: tuple[str, ...] = ()

    @property
    def log(self) -> str:
        """Its metrics, within the run's folder."""
        adapter = any(argument.startswith("--lora.") for argument in self.more)
        return f"{self.stage}_lora/metrics.jsonl" if adapter else f"{self.stage}/metrics.jsonl"

    def started(self, run: Path) -> Process:
        """It, in a process of its own."""
        context = multiprocessing.get_context("fork")
        given = arguments(self.stage, self.data, run, self.steps)
        if "--run.init_from" in self.more:  # the base's sizes hold
            given = [argument for argument in given if not argument.startswith("--model.")]
        process = context.Process(target=_train, args=(self.stage, [*given, *self.more]))
        process.start()
        return process


def compare(training: Training, folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Both runs, and whether they are the same."""
    torch.set_num_threads(1)
    draw = random.Random(seed)
    whole, cut = folder / "whole", folder / "cut"
    finish(training.started(whole))
    done = []
    for mark in sorted(draw.sample(range(1, training.steps - 1), kills)):
        child = training.started(cut)
        reached = wait_for(cut / training.log, mark, child)
        time.sleep(draw.random() * 0.1)  # anywhere in the steps after it
        if not child.is_alive():
            break
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        done.append(reached)
    finish(training.started(cut))
    written = sorted(p.relative_to(whole) for p in (whole / "talker").rglob("*.safetensors"))
    same = {
        str(name): (whole / name).read_bytes() == (cut / name).read_bytes()
        for name in (*written, training.log)
    }
    return {"kills": len(done), "after_steps": done, "identical": all(same.values()), **same}


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
