"""The prepared corpus as training sees it: checked meta data and record offsets."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.features.store import FeatureStore
from GPT_SoVITS.text import SymbolTable
from GPT_SoVITS.training.warm_start import Start

log = logging.getLogger(__name__)


class DataError(ValueError):
    """Prepared data that cannot be trained on; says what to run."""


class PreparedData:
    """`data/<name>` with its `5_sequences/meta.json`."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "5_sequences" / "meta.json"
        if not path.is_file():
            raise DataError(
                f"{path} is missing; run `python -m prepare_datasets --config … --output "
                f"{self.folder}` first"
            )
        self.meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key in ("n_symbols", "symbols", "quantizer_id", "feature"):
            if key not in self.meta:
                raise DataError(f"{path}: {key!r} is missing; run step 5 again")

        for key, ours in (("sample_rate", SAMPLE_RATE), ("token_rate", TOKEN_RATE)):
            if self.meta.get(key, ours) != ours:
                raise DataError(f"{path}: {key} is {self.meta[key]}; this program has {ours} (Hz)")

    def check_tokens(self, start: Start, *, adapters: bool) -> None:
        """The corpus's tokens must be those a stage 1 speaks; an adapter cannot learn others.

        A full fine-tuning can, and is only warned. Weights that do not say theirs are believed.
        """
        theirs, own = start.header, self.meta
        if not theirs.quantizer_id or theirs.quantizer_id == own["quantizer_id"]:
            return
        kinds = [one.get("kind", "?") for one in (theirs.feature, own["feature"])]
        why = f"{kinds[0]} features there, {kinds[1]} here" if kinds[0] != kinds[1] else ""
        message = (
            f"{self.folder} was encoded with another quantizer than {start.path} speaks"
            f"{f' ({why})' if why else ''}: its tokens mean something else; prepare it again with "
            f"--quantizer.tokenizer {start.path.parent}"
        )
        if adapters:
            raise DataError(message)
        log.warning("%s, or expect the whole network to learn anew", message)

    def manifest(self, stage: str, split: str) -> Path:
        """`5_sequences/<stage>_<split>.jsonl`; an error where it is missing or empty."""
        path = self.folder / "5_sequences" / f"{stage}_{split}.jsonl"
        if not path.is_file():
            raise DataError(f"{path} is missing; run `python -m prepare_datasets … --steps 5`")
        if path.stat().st_size == 0:
            raise DataError(f"{path} holds no samples; see the ledger and report.json beside it")
        return path

    @property
    def symbols(self) -> SymbolTable:
        """The phonemes its ids stand for."""
        return SymbolTable(self.meta["symbols"], tags=self.meta.get("tags", ()))

    def header(self, start: Start | None) -> dict[str, Any]:
        """What the header of a model trained on this corpus, from `start`, says of both."""
        source = f"trained on {self.meta.get('name', 'a prepared corpus')}"
        return {
            "symbols": self.meta["symbols"],
            "tags": list(self.meta.get("tags", [])),
            "feature": self.meta["feature"],
            "quantizer_id": self.meta["quantizer_id"],
            "source": source if start is None else f"{source}, from: {start.header.source}",
            "licence": start.header.licence if start else "",
        }

    def bert(self, wanted: str) -> FeatureStore | None:
        """Features (X, 1024) float16 by turn id, read by memory map; None where there are none."""
        folder = self.folder / "2_text" / "bert"
        found = (folder / "index.jsonl").is_file() and wanted == "auto"
        return FeatureStore(folder) if found else None

    @property
    def tokenizer(self) -> Path | None:
        """Step 4's tokenizer, where this corpus has one (imported codes have none)."""
        path = self.folder / "4_semantic" / "tokenizer.safetensors"
        return path if path.is_file() else None


def line_offsets(path: Path) -> np.ndarray:
    """Byte offset of every non-empty line (n,) int64; memory grows with lines, not with bytes."""
    offsets, at = [], 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                offsets.append(at)
            at += len(line)
    return np.asarray(offsets, dtype=np.int64)


def read_line(path: Path, offset: int) -> dict[str, Any]:
    """The record that starts at `offset`."""
    with path.open("rb") as file:
        file.seek(offset)
        fields: dict[str, Any] = json.loads(file.readline())
        return fields
