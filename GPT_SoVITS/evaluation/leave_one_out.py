"""The context score where dialogues are few: each in turn is left out of training and scored.

    python -m GPT_SoVITS.evaluation.leave_one_out --config configs/s1/dailytalk_codes.yaml \
        --data data/dailytalk_codes --output runs/dailytalk_leave_one_out [--trainer.max_steps 250]

First a model that has learnt all dialogues by heart is scored on them (it shows that the score
works, nothing about new speech), then one model per dialogue that has not seen it. What follows
`--data` and `--output` goes to `train_s1.py`. A finished model is not trained again.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, read_s1, write_records
from GPT_SoVITS.evaluation.context_score import (
    ScoredItem,
    score_dialogues,
    summarise,
    table,
    write_result,
)
from GPT_SoVITS.training.train_s1 import main as train_s1

log = logging.getLogger(__name__)


def fold_folder(data: Path, output: Path, kept: list[S1Record], left_out: list[S1Record]) -> Path:
    """A data folder whose training split is `kept` and whose validation split is `left_out`."""
    folder = output / "5_sequences"
    write_records(folder / "s1_train.jsonl", kept)
    write_records(folder / "s1_valid.jsonl", left_out)
    shutil.copyfile(data / "5_sequences" / "meta.json", folder / "meta.json")
    return output


def trained(config: str, data: Path, run: Path, more: list[str]) -> Path:
    """Train stage 1 on a folder, or take the finished model of this run."""
    target = run / "talker" / "s1.safetensors"
    if target.is_file():
        log.info("%s: trained before", target)
        return target
    return train_s1(
        ["--config", config, "--data.folder", str(data), "--run.folder", str(run), *more]
    )


def score(model: Path, records: list[S1Record], donors: list[S1Record]) -> list[ScoredItem]:
    """Context score of a model file on dialogues, histories of `other` taken from `donors`."""
    s1, header = load_s1(model)
    return score_dialogues(s1, records, LayoutConfig(**header.layout), donors=donors)


def run(config: str, data: Path, output: Path, more: list[str]) -> dict[str, Any]:
    """All folds -> the two summaries. Raises `ValueError`."""
    records = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    names = [record.dialogue for record in records]
    if len(set(names)) < 2:
        raise ValueError(f"{data}: leaving one dialogue out needs two or more, found {len(names)}")
    every = fold_folder(data, output / "all" / "data", records, records)
    by_heart = score(trained(config, every, output / "all", more), records, records)
    unseen: list[ScoredItem] = []
    for number, record in enumerate(records):
        place = output / f"without_{number}"
        rest = [other for other in records if other.dialogue != record.dialogue]
        folder = fold_folder(data, place / "data", rest, [record])
        unseen += score(trained(config, folder, place, more), [record], records)
    results = {"learnt_by_heart": summarise(by_heart), "left_out": summarise(unseen)}
    write_result(output / "learnt_by_heart.json", by_heart, results["learnt_by_heart"])
    write_result(output / "left_out.json", unseen, results["left_out"])
    (output / "summary.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def reading(n_dialogues: int, n_responses: int) -> str:
    """What such few dialogues allow to say."""
    return (
        f"{n_dialogues} dialogues, {n_responses} responses: with so few dialogues an interval over "
        "dialogues hardly means anything and the least possible p-value is "
        f"{2 ** (1 - n_dialogues):.3g}. The first table is of dialogues learnt by heart; only the "
        "second is of dialogues the model has not seen."
    )


def main(arguments: list[str] | None = None) -> None:
    """Train what is missing, print both tables and how to read them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True, help="configs/s1/*.yaml")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--output", type=Path, required=True, help="folder of models and scores")
    options, more = parser.parse_known_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    results = run(options.config, options.data, options.output, more)
    records = list(read_s1(options.data / "5_sequences" / "s1_train.jsonl"))
    print("Learnt by heart (training dialogues)\n\n" + table(results["learnt_by_heart"]))
    print("\nLeft out of training\n\n" + table(results["left_out"]))
    print("\n" + reading(len(records), results["left_out"]["full"]["n"]))


if __name__ == "__main__":
    main()
