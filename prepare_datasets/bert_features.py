"""BERT features of a prepared corpus's Chinese text, for stage 1 of the published weights.

    python -m prepare_datasets.bert_features --folder data/NAME --bert DIR

    2_text/bert/      (X, 1024) float16 per turn with Chinese in it, in shards read by memory map

Turns that are there stay; a killed run goes on. `train_s1.py` reads the folder where it exists
(`data.bert: auto`); turns without features have zeros, as in the published code.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jsonargparse import ArgumentParser
from tqdm import tqdm

from GPT_SoVITS.dialogue.manifest import TurnRecord, read_s1
from GPT_SoVITS.features.bert import BertFeatures
from GPT_SoVITS.features.store import FeatureWriter
from GPT_SoVITS.text import Frontend, PhonemeSequence, TextConfig

log = logging.getLogger("prepare_datasets")
HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True)
class BertConfig:
    """Which corpus, which model."""

    folder: str
    """A prepared corpus: the folder `python -m prepare_datasets` wrote."""
    bert: str
    """Folder of chinese-roberta-wwm-ext-large."""
    device: str = "cpu"
    """cpu or cuda."""
    lexicon: str | None = None
    """The lexicon the corpus was prepared with, if any."""


def write_features(
    folder: Path, frontend: Frontend, features: Callable[[PhonemeSequence], np.ndarray]
) -> tuple[int, int]:
    """-> (turns that have features now, turns whose phonemes this frontend does not say)."""
    other = 0
    with FeatureWriter(folder / "2_text" / "bert") as writer:
        turns = [turn for turn in chinese_turns(folder) if turn.id not in writer]
        done = sum(1 for turn in chinese_turns(folder) if turn.id in writer)
        for turn in tqdm(turns, unit="turn", desc="bert"):
            spoken = frontend(turn.text, turn.language)
            if tuple(spoken.ids) != turn.phonemes:
                other += 1
                continue
            writer.add(turn.id, features(spoken).astype(np.float16))
            done += 1
    return done, other


def chinese_turns(folder: Path) -> Iterator[TurnRecord]:
    """Every turn of both splits, once, whose text has a Chinese character."""
    seen: set[str] = set()
    for split in ("train", "valid"):
        for record in read_s1(folder / "5_sequences" / f"s1_{split}.jsonl"):
            for turn in record.turns:
                if turn.id not in seen and HAN.search(turn.text):
                    seen.add(turn.id)
                    yield turn


def main(arguments: list[str] | None = None) -> None:
    """Options are the fields of the config. Raises `SystemExit`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = ArgumentParser(
        prog="python -m prepare_datasets.bert_features",
        description="BERT features of a prepared corpus's Chinese text.",
        allow_abbrev=False,
    )
    parser.add_class_arguments(BertConfig)
    config = BertConfig(**vars(parser.parse_args(arguments)))
    folder = Path(config.folder)
    meta_path = folder / "5_sequences" / "meta.json"
    if not meta_path.is_file():
        raise SystemExit(f"{meta_path} is missing; run `python -m prepare_datasets` first")
    meta = json.loads(meta_path.read_text(encoding="utf-8"))
    tags = tuple(meta.get("tags", ()))
    frontend = Frontend(TextConfig(symbols=meta["symbols"], tags=tags, lexicon=config.lexicon))
    done, other = write_features(folder, frontend, BertFeatures(config.bert, device=config.device))
    log.info("%s: %d turns have BERT features", folder / "2_text" / "bert", done)
    if other:
        log.warning(
            "%d turns have phonemes this frontend does not say for their text (corrected or "
            "imported); their features stay zero",
            other,
        )


if __name__ == "__main__":
    main()
