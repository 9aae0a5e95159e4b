"""Step 1, recordings -> turns: `python -m prepare_datasets.step1_dialogues --config …`.

1_dialogues/turns.jsonl   one line per turn: id, dialogue, index, speaker, text, audio, style …
1_dialogues/found.json    how many turns came in, usable or not
"""

from __future__ import annotations

import json
from typing import Any

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from prepare_datasets.config import PrepareConfig
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import (
    PrepareError,
    StepResult,
    fingerprint,
    log,
    read_jsonl,
    write_json,
    write_jsonl,
)
from prepare_datasets.readers import Found
from prepare_datasets.readers.named import read_named
from prepare_datasets.readers.published import read_published

NAME = "1_dialogues"
VERSION = 1


def run(config: PrepareConfig) -> StepResult:
    """Read the corpus; every file that could be a turn becomes one or gets an entry."""
    raw = config.raw_folder
    if not raw.is_dir():
        raise PrepareError(
            f"there is no folder {raw}; give it with --raw, or make the demo corpus with "
            f"`python -m prepare_datasets.demo_corpus --output {raw}`"
        )
    corpus = read_corpus(config)
    folder = config.folder / NAME
    lines = [turn.as_json() | {"origin": corpus.origins[turn.id]} for turn in corpus.turns]
    write_jsonl(folder / "turns.jsonl", lines)
    write_jsonl(folder / "ledger.jsonl", (entry.as_json() for entry in corpus.entries))
    dialogues = len({turn.dialogue for turn in corpus.turns})
    write_json(folder / "found.json", {"turns": corpus.count, "version": VERSION})
    log.info("%s: %d turns in %d dialogues in %s", NAME, len(lines), dialogues, raw)
    if not lines:
        raise PrepareError(f"no usable turn in {raw}; {folder / 'ledger.jsonl'} says why")
    return load(config)


def read_corpus(config: PrepareConfig) -> Found:
    source = config.source
    if source.reader == "published":
        take: Any = "codes" if config.feature.kind == "imported_codes" else "features"
        return read_published(config.raw_folder, corpus=source.corpus, take=take)
    return read_named(
        config.raw_folder,
        corpus=source.corpus,
        language=source.language,
        speakers=source.speakers,
    )


def load(config: PrepareConfig) -> StepResult:
    """What this step wrote, for the steps after it."""
    folder = config.folder / NAME
    if not (folder / "found.json").is_file():
        raise PrepareError(f"{folder} is not complete; run --steps 1 first")
    records = list(read_jsonl(folder / "turns.jsonl"))
    return StepResult(
        records=records,
        entries=[Entry(**line) for line in read_jsonl(folder / "ledger.jsonl")],
        fingerprints={record["id"]: fingerprint(record, SAMPLE_RATE) for record in records},
    )


def entries(config: PrepareConfig) -> list[Entry]:
    """What this step left out."""
    return load(config).entries


def found(config: PrepareConfig) -> int:
    """How many turns came in."""
    path = config.folder / NAME / "found.json"
    return int(json.loads(path.read_text(encoding="utf-8"))["turns"])


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="1")
