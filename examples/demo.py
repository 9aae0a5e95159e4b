"""From nothing to a spoken reply: `python -m examples.demo` (what `make demo` runs).

    the bundled model speaks at once (runs/<size>/bundled.wav), then
    demo corpus -> five steps -> train s2 -> train s1 -> reply to a held-out dialogue -> report

Each stage is one of the public commands, run as a child process whose output you see. A stage that
already ran with the same command and config is reused; `--fresh` runs all again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from examples.demo_dialogue import HeldOut, choose_held_out

log = logging.getLogger("demo")
ROOT = Path(__file__).absolute().parent.parent


@dataclass(frozen=True)
class Size:
    """How much of everything; `tiny` proves the way in CI, `default` gives something to look at."""

    name: str
    dialogues: int
    s2_steps: int
    s1_steps: int


SIZES = {
    "default": Size("demo", dialogues=480, s2_steps=500, s1_steps=500),
    "tiny": Size("demo_tiny", dialogues=8, s2_steps=12, s1_steps=30),
}


@dataclass(frozen=True)
class Stage:
    """One public command and the file that proves it ran."""

    name: str
    command: list[str]
    produces: Path
    reads: tuple[Path, ...] = ()

    def fingerprint(self, before: str) -> str:
        """Changes when the command, a config it reads or any stage before it changed."""
        digest = hashlib.sha256(json.dumps([before, self.command[1:]]).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def stages(size: Size) -> list[Stage]:
    """The whole way, in order, for one size."""
    python, name = sys.executable, size.name
    raw, data, run = f"data/{name}_raw", f"data/{name}", f"runs/{name}"
    corpus = [python, "-m", "prepare_datasets.demo_corpus", "--output", raw]
    corpus += ["--dialogues", str(size.dialogues), "--seed", "0"]
    prepare = [python, "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"]
    prepare += ["--raw", raw, "--output", data]
    train_s2 = [python, "train_s2.py", "--config", "configs/s2/demo.yaml", "--resume", "auto"]
    train_s2 += ["--data.folder", data, "--run.folder", run]
    train_s2 += ["--trainer.max_steps", str(size.s2_steps)]
    train_s1 = [python, "train_s1.py", "--config", "configs/s1/demo.yaml", "--resume", "auto"]
    train_s1 += ["--data.folder", data, "--run.folder", run]
    train_s1 += ["--trainer.max_steps", str(size.s1_steps)]
    talker = ROOT / run / "talker"
    return [
        Stage("demo corpus", corpus, ROOT / raw),
        Stage(
            "five steps",
            prepare,
            ROOT / data / "5_sequences" / "s1_valid.jsonl",
            (ROOT / "configs/data/demo.yaml",),
        ),
        Stage("train s2", train_s2, talker / "s2.safetensors", (ROOT / "configs/s2/demo.yaml",)),
        Stage("train s1", train_s1, talker / "s1.safetensors", (ROOT / "configs/s1/demo.yaml",)),
    ]


def bundled_stage(run: Path) -> Stage:
    """A reply by the bundled model: sound before anything is trained."""
    dialogue = "examples/dialogues/en_excited.json"
    output = run / "bundled.wav"
    command = [sys.executable, "inference.py", "--dialogue", dialogue]
    command += ["--output", str(output.relative_to(ROOT)), "--seed", "0"]
    return Stage("bundled model", command, output, (ROOT / dialogue,))


def speak_stage(run: Path) -> Stage:
    """The reply to the held-out dialogue, by the command a user would type."""
    command = [sys.executable, "inference.py", "--model", str(run.relative_to(ROOT) / "talker")]
    command += ["--dialogue", str(run.relative_to(ROOT) / "dialogue.json")]
    command += ["--output", str(run.relative_to(ROOT) / "reply.wav"), "--seed", "0"]
    return Stage("reply", command, run / "reply.wav", (run / "dialogue.json",))


def run_stage(stage: Stage, run: Path, *, before: str, fresh: bool) -> tuple[str, float]:
    """Run or reuse one stage -> (its fingerprint, the seconds it took when it ran)."""
    key = stage.fingerprint(before)
    stamp = run / "stages" / f"{stage.name.replace(' ', '_')}.json"
    if not fresh and stamp.exists() and stage.produces.exists():
        done = json.loads(stamp.read_text(encoding="utf-8"))
        if done["fingerprint"] == key:
            log.info("[%s] reused (took %.0f s when it ran)", stage.name, done["seconds"])
            return key, float(done["seconds"])
    shown = ["python", *stage.command[1:]]
    log.info("[%s] %s", stage.name, " ".join(shown))
    started = time.monotonic()
    child = subprocess.run(stage.command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - started
    if child.returncode != 0:
        raise SystemExit(f"demo: stage '{stage.name}' failed with status {child.returncode}")
    if not stage.produces.exists():
        missing = stage.produces.relative_to(ROOT)
        raise SystemExit(f"demo: stage '{stage.name}' ended but did not write {missing}")
    stamp.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"fingerprint": key, "seconds": round(seconds, 1), "command": shown})
    stamp.write_text(text + "\n", encoding="utf-8")
    log.info("[%s] done in %.0f s", stage.name, seconds)
    return key, seconds


def write_dialogue(held_out: HeldOut, path: Path) -> None:
    """The held-out dialogue as the file `inference.py` reads; rewritten only when it changed."""
    text = json.dumps(held_out.dialogue_json(path.parent), ensure_ascii=False, indent=1) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    """Run every stage that is not done yet, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=sorted(SIZES), default="default")
    parser.add_argument("--fresh", action="store_true", help="run every stage again")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.chdir(ROOT)
    size = SIZES[options.size]
    run = ROOT / "runs" / size.name
    run.mkdir(parents=True, exist_ok=True)

    seconds: dict[str, float] = {}
    run_stage(bundled_stage(run), run, before="", fresh=options.fresh)
    key = ""
    for stage in stages(size):
        key, seconds[stage.name] = run_stage(stage, run, before=key, fresh=options.fresh)
    held_out = choose_held_out(ROOT / "data" / size.name)
    write_dialogue(held_out, run / "dialogue.json")
    speak = speak_stage(run)
    _, seconds[speak.name] = run_stage(speak, run, before=key, fresh=options.fresh)

    from examples.demo_report import write_report

    report = write_report(run, held_out, seconds=seconds)
    where = report.relative_to(ROOT)
    log.info("Done. Reply: runs/%s/reply.wav, report: %s", size.name, where)


if __name__ == "__main__":
    main()
