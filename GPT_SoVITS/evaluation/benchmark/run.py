"""`python -m GPT_SoVITS benchmark --config configs/benchmark/controlled.yaml`: does history matter?

Trains, asks under every condition, judges. Each step is kept on disk, so a run that was killed
continues, and another seed or rule is another run whose JSON stays:

    seed_<n>/training, training_control     what training may read: no styles, no test sentences
    seed_<n>/{history,no_history,control}/  models
    seed_<n>/replies/                       tokens of every condition
    seed_<n>/sound/                         judged sound, where a stage 2 is trained (`s2`)
    seed_<n>/result.json                    numbers of a seed
    result.json, report.md, report.html     all seeds together, figure.png
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from GPT_SoVITS.atomic import write_text
from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import ManifestError
from GPT_SoVITS.evaluation.benchmark.conditions import CONDITIONS, prompt_of, speak
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import BenchmarkError, write_training
from GPT_SoVITS.evaluation.benchmark.enrichment import score_enrichment
from GPT_SoVITS.evaluation.benchmark.exam import Exam, judge, set_exam
from GPT_SoVITS.evaluation.benchmark.report import checks, pooled, write_report
from GPT_SoVITS.evaluation.benchmark.sound import score_sound
from GPT_SoVITS.evaluation.command import config_of
from GPT_SoVITS.training.train_s1 import main as train_s1
from GPT_SoVITS.training.train_s2 import main as train_s2

log = logging.getLogger(__name__)
ASKED = {"history": CONDITIONS, "no_history": ("none",), "control": ("full", "shuffled")}


def training_folder(config: BenchmarkConfig, seed: int, name: str) -> Path:
    """The folder a model may read, made where it is missing."""
    control = name == "control"
    data = config.folder(seed) / ("training_control" if control else "training")
    if not (data / "facts.json").is_file():
        facts = write_training(config.data, data, control=control, seed=seed)
        log.info("%s: %d dialogues, %d responses", data, facts["dialogues"], facts["responses"])
    return data


def train_model(config: BenchmarkConfig, seed: int, name: str) -> Path:
    """Train one of the models, or go on with it, or take it as it is -> its file."""
    run = config.folder(seed) / name
    data = training_folder(config, seed, name)
    target = run / "talker" / "s1.safetensors"
    if target.is_file():
        log.info("%s: trained before", target)
        return target
    command = ["--config", config.s1, "--data.folder", str(data), "--run.folder", str(run)]
    command += ["--run.seed", str(seed), *config.train]
    if name == "no_history":
        command += ["--layout.history_turns", "0"]
    path: Path = timed(config.folder(seed), f"train {name}", lambda: train_s1(command))
    return path


def train_sound(config: BenchmarkConfig, seed: int) -> Path:
    """Stage 2 of the run, in the folder of its `history` s1 -> the talker's folder."""
    run = config.folder(seed) / "history"
    if not (run / "talker" / "s2.safetensors").is_file():
        data = training_folder(config, seed, "history")
        command = ["--config", config.s2, "--data.folder", str(data), "--run.folder", str(run)]
        command += ["--run.seed", str(seed), *config.train_s2]
        timed(config.folder(seed), "train s2", lambda: train_s2(command))
    return run / "talker"


def timed(folder: Path, name: str, work: Callable[[], Any]) -> Any:
    """Do it; wall seconds are added to those of earlier, unfinished attempts in times.json."""
    started = time.perf_counter()
    try:
        return work()
    finally:
        path = folder / "times.json"
        times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        times[name] = times.get(name, 0.0) + time.perf_counter() - started
        write_json(path, times)


def write_json(path: Path, values: Any) -> None:
    """The whole file or none of it."""
    write_text(path, json.dumps(values, ensure_ascii=False) + "\n")


def replies(
    config: BenchmarkConfig, seed: int, name: str, condition: str, model_file: Path, exam: Exam
) -> list[list[int]]:
    """Tokens of every item; read back where this condition was asked before.

    Raises `BenchmarkError`.
    """
    path = config.folder(seed) / "replies" / f"{name}_{condition.replace('=', '_')}.json"
    ids = [item.response.id for item in exam.items]
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["items"] != ids:
            raise BenchmarkError(f"{path} answers other items; delete the folder {path.parent}")
        answered: list[list[int]] = kept["codes"]
        return answered
    model, header = load_s1(model_file)
    layout = LayoutConfig(**header.layout)
    prompts = [prompt_of(i, condition, layout, swap) for i, swap in zip(exam.items, exam.swaps)]

    options = replace(config.sampling, n_codes=exam.n_codes)

    def ask() -> list[list[int]]:
        return speak(model, prompts, options, mask=layout.mask, seed=seed)

    codes: list[list[int]] = timed(config.folder(seed), "ask", ask)
    write_json(path, {"items": ids, "heard": [p.heard for p in prompts], "codes": codes})
    return codes


def run_seed(config: BenchmarkConfig, seed: int, exam: Exam) -> dict[str, Any]:
    """The whole benchmark of one seed -> its result, also written to result.json."""
    found: dict[str, Any] = {}
    spoken: dict[str, list[list[int]]] = {}
    for name in config.models:
        path = train_model(config, seed, name)
        found[name] = {}
        for condition in ASKED[name]:
            codes = replies(config, seed, name, condition, path, exam)
            found[name][condition] = judge(exam, condition, exam.probe.judge(codes))
            spoken[f"{name} {condition}"] = codes
            log.info("%s %s: %.3f", name, condition, found[name][condition]["agreement"]["mean"])
    folder = config.folder(seed)
    facts = json.loads((folder / "training" / "facts.json").read_text(encoding="utf-8"))
    result = {"seed": seed, "chance": exam.chance, "exam": exam.facts, "training": facts}
    result |= {"models": found, "checks": checks(found, exam.chance)}
    if config.s2:
        talker = train_sound(config, seed)
        result["sound"] = score_sound(config, seed, exam, talker, spoken)
        result["enrichment"] = score_enrichment(config, seed, exam, talker)
    times = folder / "times.json"
    result["seconds"] = json.loads(times.read_text(encoding="utf-8")) if times.is_file() else {}
    write_json(folder / "result.json", result)
    return result


def run(config: BenchmarkConfig) -> dict[str, Any]:
    """Every seed, then all together -> what result.json holds."""
    exam = set_exam(config)
    log.info("%d items, probe %.3f", len(exam.items), exam.facts["token_probe"])
    results = [run_seed(config, seed, exam) for seed in config.seeds]
    whole = pooled(results, exam.groups)
    write_json(Path(config.output) / "result.json", whole)
    write_report(Path(config.output), whole)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `--config` and overrides, run, print the table; 1 where a claim does not hold."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = config_of(
        BenchmarkConfig, arguments, name="benchmark", doc=__doc__, folder="configs/benchmark/"
    )
    try:
        whole = run(config)
    except (BenchmarkError, ManifestError) as error:
        log.error("%s", error)
        return 2
    print((Path(config.output) / "report.md").read_text(encoding="utf-8"))
    return 0 if all(whole["checks"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
