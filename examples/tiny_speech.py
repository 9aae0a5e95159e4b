"""The bundled model from nothing: `python -m examples.tiny_speech`.

    corpus -> five steps -> more dialogues for s1, in the same tokens -> what the two trainings will
    cost -> s2 -> s1 -> test corpus, recogniser -> packed into pretrained_models/tiny-speech

Its bars (benchmarks/tiny_speech.py) and the gallery are commands of their own, told at the end.
Every stage is a public command; one that ran with the same command is reused, a training that was
stopped goes on. `--until s2` stops after a stage.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from examples.demo import ROOT, Stage, run_stage
from examples.demo_report import metrics
from GPT_SoVITS.checkpoints.talker_folder import write_talker
from GPT_SoVITS.inference.bundled import NAME
from GPT_SoVITS.plots.curves import loss_curves

log = logging.getLogger("tiny_speech")
RUN = "runs/tiny_speech"
OPTIONS = {"repetition_penalty": 1.0, "temperature": 0.3, "top_k": 5}
"""How it speaks by default, chosen on the validation dialogues. The published penalty of 1.35 on
said tokens breaks up held sounds of a codebook of our own."""
VOICES = ("f1", "f2", "m1", "m3")
SPEAKERS = [f"demo/{language}_{voice}" for language in ("en", "zh") for voice in VOICES]


def stages() -> dict[str, Stage]:
    """All of it, in order, by the names `--until` takes."""
    python = sys.executable
    talker = ROOT / RUN / "talker"
    recognizer = f"{RUN}/recognizer/phones.safetensors"
    found = {
        "corpus": _corpus("tiny_speech", 2400, 0),
        "steps": _steps("tiny_speech"),
        "more_corpus": _corpus("tiny_speech_more", 7200, 0),
        "more_steps": _steps("tiny_speech_more"),
        "s2": _training("s2", talker),
        "s1": _training("s1", talker),
        "test_corpus": _corpus("tiny_speech_test", 900, 100_000),
        "test_steps": _steps("tiny_speech_test"),
    }
    hear = [python, "-m", "GPT_SoVITS.evaluation.asr.train_phones", "--data", "data/tiny_speech"]
    hear += ["--output", recognizer, "--steps", "1200"]
    found["recogniser"] = Stage("recogniser", hear, ROOT / recognizer)
    packed = f"{RUN}/packed"
    pack = [python, "-m", "GPT_SoVITS", "pack-talker", f"{RUN}/talker", "--output", packed]
    pack += ["--speakers", *SPEAKERS]
    files = (talker / "s1.safetensors", talker / "s2.safetensors")
    found["pack"] = Stage("pack", pack, ROOT / packed / "s2.safetensors", files)
    return found


def _corpus(name: str, dialogues: int, first: int) -> Stage:
    command = [sys.executable, "-m", "prepare_datasets.demo_corpus", "--output", f"data/{name}_raw"]
    command += ["--dialogues", str(dialogues), "--first", str(first), "--texts", "everyday"]
    return Stage(f"{name} corpus", command, ROOT / f"data/{name}_raw")


def _steps(name: str) -> Stage:
    config = f"configs/data/{name}.yaml"
    command = [sys.executable, "-m", "prepare_datasets", "--config", config]
    produces = ROOT / f"data/{name}/5_sequences/s1_valid.jsonl"
    return Stage(f"{name} five steps", command, produces, (ROOT / config,))


def _training(stage: str, talker: Path) -> Stage:
    config = f"configs/{stage}/tiny_speech.yaml"
    command = [sys.executable, f"train_{stage}.py", "--config", config, "--resume", "auto"]
    return Stage(f"train {stage}", command, talker / f"{stage}.safetensors", (ROOT / config,))


def say_the_budget() -> None:
    """A few steps of each training: how long the whole will take on this machine."""
    for stage in ("s2", "s1"):
        config = f"configs/{stage}/tiny_speech.yaml"
        command = [sys.executable, f"train_{stage}.py", "--config", config, "--dry-run"]
        log.info("[budget] %s", " ".join(["python", *command[1:]]))
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise SystemExit(f"tiny_speech: the dry run of {stage} failed")


def ship(packed: Path, target: Path) -> None:
    """The packed talker into the repository; the card that lies there stays."""
    for path in sorted(packed.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(packed)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    log.info("[ship] %s", target)


def keep_curves(run: Path, folder: Path) -> None:
    """Validation and every hundredth step of both trainings, as lines and as pictures."""
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for stage in ("s1", "s2"):
        source = run / stage / "metrics.jsonl"
        rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
        kept = [r for r in rows if r["step"] % 100 == 0 or any(n.startswith("valid/") for n in r)]
        text = "".join(json.dumps(_short(row)) + "\n" for row in kept)
        (folder / f"{stage}.jsonl").write_text(text, encoding="utf-8")
        figure = loss_curves(metrics(source))
        figure.savefig(folder / f"{stage}.png", dpi=60)
        plt.close(figure)


def _short(row: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.4g}") for name, value in row.items()}


def main(arguments: list[str] | None = None) -> None:
    """Run every stage that is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = stages()
    parser.add_argument("--until", choices=list(every), help="the last stage to run")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.chdir(ROOT)
    run, key = ROOT / RUN, ""
    run.mkdir(parents=True, exist_ok=True)
    for name, stage in every.items():
        if name == "s2" and not stage.produces.exists():
            say_the_budget()
        if name == "pack":
            write_talker(run / "talker", settings={"options": OPTIONS})
            shutil.rmtree(run / "packed", ignore_errors=True)
        key, _ = run_stage(stage, run, before=key, fresh=name == "pack")
        if name == options.until:
            return
    ship(run / "packed", ROOT / "pretrained_models" / NAME)
    keep_curves(run, ROOT / "docs" / "figures" / "tiny_speech")
    log.info("Now: python -m benchmarks.tiny_speech --config configs/evaluate/tiny_speech.yaml")
    log.info("     python -m examples.gallery")


if __name__ == "__main__":
    main()
