"""`python -m GPT_SoVITS add-tags TALKER --tags "<LAUGHS>,<GIGGLES>" --output DIR`

A talker that knows more tags: a row for each behind its phonemes, in both stages. Everything it
knew stays bit for bit; a new row starts at the mean of the others and says nothing until trained.
Exit codes: 0 written, 2 wrong input (stderr says which and why).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from GPT_SoVITS.adapters.merge import SYMBOL_FIELDS
from GPT_SoVITS.adapters.rows import PHONEME_TABLES, starting_rows
from GPT_SoVITS.checkpoints.container import write_safetensors
from GPT_SoVITS.checkpoints.loading import load_s1, load_s2
from GPT_SoVITS.checkpoints.talker_folder import write_talker
from GPT_SoVITS.text import SymbolTable, TextConfig

log = logging.getLogger(__name__)
WRONG_INPUT = 2
LOADERS: dict[str, Any] = {"s1": load_s1, "s2": load_s2}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS add-tags", description="Give a talker rows for new tags."
    )
    parser.add_argument("talker", type=Path, help="folder of the model")
    parser.add_argument("--tags", required=True, help="comma-separated, e.g. <LAUGHS>,<GIGGLES>")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new talker")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        add_tags(args.talker, [tag.strip() for tag in args.tags.split(",")], args.output)
    except (ValueError, OSError) as error:
        log.error("error: %s", error)
        return WRONG_INPUT
    return 0


def add_tags(talker: Path, tags: Sequence[str], output: Path) -> Path:
    """Write the talker; its adapters stay behind, as they belong to the talker without the tags.

    Raises `ValueError`.
    """
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"--output {output}: not empty; choose a new folder")
    loaded = {kind: load(talker / f"{kind}.safetensors") for kind, load in LOADERS.items()}
    before = loaded["s1"][1]
    old = SymbolTable(before.symbols, tags=before.tags)
    new = SymbolTable(before.symbols, tags=(*before.tags, *tags))
    TextConfig(symbols=new.version, tags=new.tags)  # says what is wrong with a tag's form
    shutil.copytree(talker, output, ignore=shutil.ignore_patterns("adapters"), dirs_exist_ok=True)
    for kind, (model, header) in loaded.items():
        state = dict(model.state_dict())
        name = f"{PHONEME_TABLES[kind]}.weight"
        state[name] = grown(state[name], len(old), len(new))
        config = dataclasses.asdict(model.config) | {SYMBOL_FIELDS[kind]: len(state[name])}
        kept = {n: t for n, t in state.items() if not n.startswith(header.absent)}
        changed = dataclasses.replace(header, config=config, tags=new.tags)
        write_safetensors(output / f"{kind}.safetensors", kept, header=changed.to_json())
        log.info("%s: rows %d to %d are %s", kind, len(old), len(new) - 1, ", ".join(tags))
    return write_talker(output, settings={"tags": list(new.tags)})


@torch.no_grad()
def grown(table: Tensor, known: int, wanted: int) -> Tensor:
    """A table (V, D) with rows known … wanted - 1 for new symbols; its own rows stay."""
    rows = starting_rows(table[:known], known, wanted - known)
    return torch.cat([table[:known], rows, table[wanted:]])
