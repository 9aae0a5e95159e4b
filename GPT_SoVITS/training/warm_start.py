"""Start training from a model file, ours or published: what was copied, grown, new, dropped.

phonemes   file: v2 + <laugh>        [ v2 … | <laugh> ]            rows are matched by name:
           corpus: v2 + <sigh>,      [ v2 … | <sigh> | <laugh> ]   old rows stay as they are,
                   <laugh>                     new                 new ones start at the mean
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from GPT_SoVITS.adapters.rows import starting_rows
from GPT_SoVITS.checkpoints import ModelHeader, load_s1, load_s2
from GPT_SoVITS.checkpoints.loading import load_discriminators
from GPT_SoVITS.text import SymbolTable

log = logging.getLogger(__name__)
PHONEME_TABLES = ("embedding.text.weight", "prior_encoder.text_embedding.weight")
LOADERS: dict[str, Any] = {"s1": load_s1, "s2": load_s2, "s2d": load_discriminators}
SHOWN = 12


class WarmStartError(ValueError):
    """A model that training cannot start from; says why."""


@dataclass(frozen=True)
class Start:
    """A model file, read: its network's config values, tensors and header."""

    path: Path
    header: ModelHeader
    config: Any
    tensors: Mapping[str, Tensor]

    @property
    def symbols(self) -> SymbolTable:
        """The phonemes its rows stand for."""
        return SymbolTable(self.header.symbols, tags=self.header.tags)


@dataclass
class Report:
    """What became of every tensor of the file and of the model."""

    copied: list[str] = field(default_factory=list)
    grown: dict[str, str] = field(default_factory=dict)
    """name -> how many rows were kept of how many"""
    new: list[str] = field(default_factory=list)
    """in the model only: they keep their first draw"""
    dropped: dict[str, str] = field(default_factory=dict)
    """in the file only, or of another shape -> why"""

    def lines(self) -> list[str]:
        """For the log; long lists by their beginnings."""
        text = [f"warm start: {len(self.copied)} tensors copied"]
        text += [f"  grown   {name}: {how}" for name, how in self.grown.items()]
        text += [f"  dropped {name}: {why}" for name, why in list(self.dropped.items())[:SHOWN]]
        text += [f"  new     {name}" for name in self.new[:SHOWN]]
        hidden = max(0, len(self.dropped) - SHOWN) + max(0, len(self.new) - SHOWN)
        return [*text, f"  … and {hidden} more"] if hidden else text


def open_start(place: str, kind: str) -> Start:
    """`init_from`: a talker folder, a file of ours, or a published file.

    Raises `WarmStartError`.
    """
    path = Path(place)
    if path.is_dir():
        path = path / f"{kind}.safetensors"
    if not path.is_file():
        raise WarmStartError(
            f"init_from {place}: no such file; `python -m GPT_SoVITS import-checkpoint … --output "
            "DIR` makes a folder of published weights"
        )
    model, header = LOADERS[kind](path)
    tensors = {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith(header.absent)
    }
    return Start(path, header, getattr(model, "config", None), tensors)


def warm_start(
    model: nn.Module,
    start: Start,
    *,
    symbols: SymbolTable,
    leave: Sequence[str] = (),
    record: Path | None = None,
) -> Report:
    """Copy into `model` what fits; names that begin with one of `leave` are dropped on purpose.

    The log shows the beginning of the report, the JSON file `record` all of it.
    """
    report = Report()
    state = model.state_dict()
    for name, value in start.tensors.items():
        if name not in state:
            report.dropped[name] = "not in this model"
        elif name.startswith(tuple(leave) or ("\0",)):
            report.dropped[name] = "taken from the corpus instead"
        elif name in PHONEME_TABLES and value.shape[1:] == state[name].shape[1:]:
            rows = matching_rows(start.symbols, symbols, len(value), len(state[name]))
            _copy_rows(state[name], value, rows)
            _start_rows(state[name], value, [r for r in range(len(symbols)) if r not in rows])
            if len(rows) == len(state[name]) == len(value):
                report.copied.append(name)
            else:
                report.grown[name] = (
                    f"{len(rows)} of {len(value)} rows kept, {len(state[name])} now"
                )
        elif value.shape != state[name].shape:
            shapes = f"{tuple(value.shape)} there, {tuple(state[name].shape)} here"
            report.dropped[name] = f"of another shape: {shapes}"
        else:
            state[name].copy_(value)
            report.copied.append(name)
    known = {*report.copied, *report.grown}
    kept = tuple(leave) or ("\0",)
    report.new = [name for name in state if name not in known and not name.startswith(kept)]
    for line in report.lines():
        log.info("%s", line)
    if record is not None:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(dataclasses.asdict(report), indent=1), encoding="utf-8")
    return report


def matching_rows(old: SymbolTable, new: SymbolTable, n_old: int, n_new: int) -> dict[int, int]:
    """{new row: old row} of the phonemes both tables name, and of the unnamed rows behind them."""
    place = {name: row for row, name in enumerate(old.names[:n_old])}
    rows = {row: place[name] for row, name in enumerate(new.names[:n_new]) if name in place}
    spare = range(max(len(old), len(new)), min(n_old, n_new))
    return rows | {row: row for row in spare}


@torch.no_grad()
def _copy_rows(into: Tensor, source: Tensor, rows: Mapping[int, int]) -> None:
    into[list(rows)] = source[list(rows.values())].to(into)


@torch.no_grad()
def _start_rows(into: Tensor, source: Tensor, new: Sequence[int]) -> None:
    """Rows of symbols the file does not name."""
    for row in new:
        into[row] = starting_rows(source, row, 1)[0].to(into)
