"""`python -m GPT_SoVITS evaluate --config configs/evaluate/demo.yaml`: the whole loop.

Speaks what is not spoken, scores what is not scored, then writes the report anew:

    ledger.jsonl   one line per piece of work          report.json  all numbers
    sounds/        what was heard                      report.html  tables, figures, audio
    run.json       what this run was made with         report.md, items.csv
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from GPT_SoVITS.evaluation.asr import AsrError, Recognizer, open_recognizer
from GPT_SoVITS.evaluation.command import config_of
from GPT_SoVITS.evaluation.loop.config import RECORDED, RESYNTHESIS, EvaluateConfig
from GPT_SoVITS.evaluation.loop.items import EvalItem, ItemsError, read_items
from GPT_SoVITS.evaluation.loop.ledger import Ledger
from GPT_SoVITS.evaluation.loop.report import write_report
from GPT_SoVITS.evaluation.loop.score import Scorer
from GPT_SoVITS.evaluation.loop.speak import Voices, write_sound
from GPT_SoVITS.evaluation.loop.summary import summarise
from GPT_SoVITS.evaluation.metrics.speaker import network, timbre_statistics
from GPT_SoVITS.text import Frontend

log = logging.getLogger(__name__)


class EvaluateError(RuntimeError):
    """The run cannot go on, or items failed; says which."""


def run(config: EvaluateConfig) -> dict[str, Any]:
    """Everything -> the summary. Raises EvaluateError at the end where items failed."""
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    items = read_items(config.source)
    scorer = make_scorer(config, items)
    check_same_run(folder, config, items, scorer)
    voices = Voices(config)
    with Ledger(folder / "ledger.jsonl", forget_failed=config.retry_failed) as ledger:
        for system in config.systems:
            speak_all(system, items, voices, ledger, folder)
        for system in config.systems:
            score_all(system, items, scorer, ledger, folder)
        measure_latency(config, items, voices, ledger)
        rows = ledger.rows
    names = [item.id for item in items]
    by = {
        stage: {s: {i: rows[stage, s, i] for i in names} for s in config.systems}
        for stage in ("speak", "score")
    }
    latency = {
        name: [row["seconds"] for key, row in rows.items() if key[:2] == ("latency", name)]
        for name in config.models
    }
    summary = summarise(items, by["score"], by["speak"], scorer.not_heard, latency=latency)
    summary["recognizers"] = {n: r.identity for n, r in scorer.recognizers.items()}
    write_report(folder, config, items, by["score"], by["speak"], summary)
    failed = {s: v["failed"] for s, v in summary["systems"].items() if v["failed"]}
    if failed and config.on_failure == "fail":
        some = "; ".join(f"{system}: {', '.join(ids[:3])}" for system, ids in failed.items())
        count = sum(map(len, failed.values()))
        raise EvaluateError(
            f"{count} of {len(items) * len(config.systems)} rows failed ({some} …); they count as "
            f"errors in {folder / 'report.html'} and {folder / 'ledger.jsonl'} says why. Set "
            "on_failure: count to accept them, retry_failed: true to try them again"
        )
    return summary


def make_scorer(config: EvaluateConfig, items: Sequence[EvalItem]) -> Scorer:
    """Recognisers, speaker embedding and frontend of a run. Raises `EvaluateError`."""
    texts = tuple(item.text for item in items if item.language == "en")
    recognizers: dict[str, Recognizer] = {
        one.engine: open_recognizer(one, domain_texts=texts) for one in config.recognizers
    }
    if len(recognizers) < len(config.recognizers):
        raise EvaluateError("recognizers: the same engine twice; make two runs of it")
    embedding = network(config.speaker_network) if config.speaker_network else timbre_statistics
    return Scorer(recognizers, embedding, frontend=Frontend())


def check_same_run(
    folder: Path, config: EvaluateConfig, items: Sequence[EvalItem], scorer: Scorer
) -> None:
    """A folder holds one run: refuse rows made with other models, items or recognisers."""
    texts = "\n".join(f"{item.id}\t{item.text}" for item in items)
    facts = {
        "items": hashlib.sha256(texts.encode()).hexdigest(),
        "models": {name: model_hash(Path(path)) for name, path in config.models.items()},
        "recognizers": {name: one.identity for name, one in scorer.recognizers.items()},
        "speaker_network": config.speaker_network,
        "seed": config.seed,
    }
    path = folder / "run.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))["facts"]
        changed = [name for name, value in facts.items() if before.get(name) != value]
        if changed:
            raise EvaluateError(
                f"{folder} holds a run with other {', '.join(changed)}; choose another output or "
                "delete the folder"
            )
        return
    machine: dict[str, Any] = {
        "device": config.device,
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    machine |= {"load": os.getloadavg()[0], "platform": platform.platform()}
    values = {"facts": facts, "config": asdict(config), "machine": machine}
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def model_hash(folder: Path) -> str:
    """SHA-256 over both networks of a talker folder. Raises `EvaluateError`."""
    digest = hashlib.sha256()
    for name in ("s1.safetensors", "s2.safetensors"):
        path = folder / name
        if not path.is_file():
            raise EvaluateError(f"{path} is missing: not a finished talker folder")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def speak_all(
    system: str, items: Sequence[EvalItem], voices: Voices, ledger: Ledger, folder: Path
) -> None:
    """Sound of every item of a system that has no row yet."""
    todo = [(k, item) for k, item in enumerate(items) if ("speak", system, item.id) not in ledger]
    speaker = voices.speaker(system) if todo else None
    for number, item in tqdm(todo, desc=f"speak {system}", unit="item", disable=not todo):
        row: dict[str, Any] = {"stage": "speak", "system": system, "item": item.id, "status": "ok"}
        try:
            assert speaker is not None
            samples, facts = speaker(item)
            path = write_sound(folder, system, number, samples)
            row |= {"audio": str(path.relative_to(folder)), **facts}
        except (ValueError, RuntimeError, OSError) as error:
            row |= {"status": "error", "message": f"{type(error).__name__}: {error}"}
        ledger.add(row)


def score_all(
    system: str, items: Sequence[EvalItem], scorer: Scorer, ledger: Ledger, folder: Path
) -> None:
    """Scores of every item of a system that has no row yet."""
    todo = [item for item in items if ("score", system, item.id) not in ledger]
    for item in tqdm(todo, desc=f"score {system}", unit="item", disable=not todo):
        spoken = ledger["speak", system, item.id]
        row: dict[str, Any] = {"stage": "score", "system": system, "item": item.id, "status": "ok"}
        if spoken["status"] != "ok":
            row |= {"status": "error", "message": "no sound: " + spoken["message"]}
        else:
            try:
                row |= scorer.score(item, folder / spoken["audio"])
            except (ValueError, RuntimeError, OSError) as error:
                row |= {"status": "error", "message": f"{type(error).__name__}: {error}"}
        ledger.add(row)


def measure_latency(
    config: EvaluateConfig, items: Sequence[EvalItem], voices: Voices, ledger: Ledger
) -> None:
    """First-chunk waits of a few items per model, after one that warms up."""
    for name in config.models:
        for item in items[: config.latency_items]:
            if ("latency", name, item.id) in ledger:
                continue
            row: dict[str, Any] = {"stage": "latency", "system": name, "item": item.id}
            try:
                voices.latency(name, item)
                row |= {"status": "ok", "seconds": voices.latency(name, item)}
            except (ValueError, RuntimeError, OSError) as error:
                row |= {"status": "error", "message": str(error), "seconds": float("nan")}
            ledger.add(row)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse `--config` and overrides, run; 1 where items failed."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    config = config_of(
        EvaluateConfig, arguments, name="evaluate", doc=__doc__, folder="configs/evaluate/"
    )
    try:
        summary = run(config)
    except (EvaluateError, ItemsError, AsrError) as error:
        log.error("%s", error)
        return 1
    log.info("report: %s", Path(config.output) / "report.html")
    print(json.dumps({s: v["errors"] for s, v in summary["systems"].items()}))
    return 0


__all__ = ["RECORDED", "RESYNTHESIS", "EvaluateError", "main", "run"]

if __name__ == "__main__":
    raise SystemExit(main())
