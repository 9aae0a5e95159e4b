"""4_semantic/report.json: how many codes are used, and what two simple probes read from them."""

from __future__ import annotations

import json
from itertools import groupby

from prepare_datasets import step1_dialogues, step2_text
from prepare_datasets.config import PrepareConfig
from prepare_datasets.jsonl import Record, write_json
from prepare_datasets.pipeline import Step, aligned, log
from prepare_datasets.probes import probe
from prepare_datasets.sampling import sample_dialogues
from prepare_datasets.table_size import open_frozen

PROBED_TURNS = 20000  # of a larger corpus a sample is probed
IMPORTED_CODES = 1024
Rows = list[tuple[Record, ...]]


def write_token_report(config: PrepareConfig, codes: Step, quantizer_id: str) -> None:
    """Write it, unless the one at hand is of the same codes."""
    path, made_from = codes.folder / "report.json", codes.mark()
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if before.get("made_from") == made_from:
        return
    table = None
    if config.feature.kind != "imported_codes":
        table = open_frozen(config)[0].quantizer.embed.numpy()
    rows = [row for rows in _probed(config, codes) for row in rows]
    found = probe(
        [tokens for _, _, tokens in rows],
        {turn["id"]: turn for turn, _, _ in rows},
        {turn["id"]: spoken["phonemes"] for turn, spoken, _ in rows},
        n_codes=IMPORTED_CODES if table is None else len(table),
        table=table,
    )
    write_json(path, {"quantizer_id": quantizer_id, "made_from": made_from} | found)
    log.info("4_semantic: %s", json.dumps(found))


def _probed(config: PrepareConfig, codes: Step) -> list[Rows]:
    """(turn, text, codes) of the dialogues that are probed, in the corpus's order."""
    texts = step2_text.step(config).records()
    rows = aligned(step1_dialogues.load(config), texts, codes.records())
    dialogues = (list(one) for _, one in groupby(rows, key=lambda row: row[0]["dialogue"]))
    numbered = (
        (rows[0][0]["dialogue"], (number, rows), len(rows)) for number, rows in enumerate(dialogues)
    )
    sample = sample_dialogues(numbered, enough=PROBED_TURNS, seed=config.quantizer.seed)
    return [rows for _, rows in sorted(sample.values(), key=lambda one: one[0])]
