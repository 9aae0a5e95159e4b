"""Running the five steps in this process, and reading what they wrote."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from pathlib import Path
from typing import Any

from prepare_datasets.command import main
from prepare_datasets.jsonl import read_jsonl

TINY = ["--name", "t", "--source.corpus", "t", "--source.language", "en", "--card", "false"]
TINY += ["--quantizer.n_codes", "16", "--quantizer.iterations", "3", "--split.valid", "0.3"]
TINY += ["--sequences.min_turns", "1"]  # what is left of a dialogue is kept however short


def prepare(raw: Path, output: Path, *options: str) -> int:
    """Exit code of a run over a tiny corpus."""
    logging.getLogger("prepare_datasets").setLevel(logging.ERROR)
    try:
        main([*TINY, "--raw", str(raw), "--output", str(output), *options])
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main returns by SystemExit")


def freeze(prepared: Path, output: Path) -> None:
    """Give `output` the quantizer and statistics of another run."""
    (output / "4_semantic").mkdir(parents=True, exist_ok=True)
    shutil.copy(prepared / "4_semantic" / "tokenizer.safetensors", output / "4_semantic")


def ledger(output: Path) -> list[dict[str, Any]]:
    """Lines of the ledger."""
    return list(read_jsonl(output / "ledger.jsonl"))


def report(output: Path) -> dict[str, Any]:
    """report.json of a run."""
    return json.loads((output / "report.json").read_text(encoding="utf-8"))


def products(output: Path) -> dict[str, dict[str, Any]]:
    """Turn id -> what the steps made of it: text, bytes of the recording, codes, stage 2's line."""
    turns: dict[str, dict[str, Any]] = {}
    for record in read_jsonl(output / "2_text" / "turns.jsonl"):
        turns[record["id"]] = {"text": record}
    for record in read_jsonl(output / "3_speech" / "turns.jsonl"):
        turns[record["id"]]["audio"] = digest(output / record["audio"])
    for record in read_jsonl(output / "4_semantic" / "turns.jsonl"):
        turns[record["id"]]["codes"] = record["codes"]
    for split in ("train", "valid"):
        for record in read_jsonl(output / "5_sequences" / f"s2_{split}.jsonl"):
            turns[record["id"]]["s2"] = record | {"split": split}
    return {name: turn for name, turn in turns.items() if "s2" in turn}


def digest(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest(path) for path in files}
