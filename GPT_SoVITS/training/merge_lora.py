"""`python -m GPT_SoVITS merge-lora TALKER --adapter NAME --output DIR`: one talker, no adapter.

The adapter is added to the base's weights; the result is a talker folder like any other.
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

from GPT_SoVITS.adapters.condition import CONDITION
from GPT_SoVITS.adapters.file import Adapter, adapter_folder, load_adapters
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.checkpoints.container import write_safetensors
from GPT_SoVITS.checkpoints.loading import load_s1, load_s2
from GPT_SoVITS.checkpoints.talker_folder import write_talker

log = logging.getLogger(__name__)
WRONG_INPUT = 2
LOADERS: dict[str, Any] = {"s1": load_s1, "s2": load_s2}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS merge-lora",
        description="Add a LoRA adapter to the weights of a talker.",
    )
    parser.add_argument("talker", type=Path, help="folder of the base model")
    parser.add_argument("--adapter", required=True, help="a name in TALKER/adapters, or a folder")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new talker")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        merge(args.talker, args.adapter, args.output)
    except (ValueError, OSError) as error:
        log.error("error: %s", error)
        return WRONG_INPUT
    return 0


def merge(talker: Path, adapter: str, output: Path) -> Path:
    """Write the talker that speaks as `talker` with the adapter does. Raises `ValueError`."""
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"--output {output}: not empty; choose a new folder")
    parts = load_adapters(adapter_folder(talker, adapter))
    for part in parts.values():
        if CONDITION in part.tensors:
            raise ValueError(
                f"adapter {part.header.name!r} has a learned condition, which no weight can hold; "
                "speak with it by name instead: Talker.load(...).with_adapter(...)"
            )
    shutil.copytree(talker, output, ignore=shutil.ignore_patterns("adapters"), dirs_exist_ok=True)
    for kind, part in parts.items():
        _write_merged(output / f"{kind}.safetensors", kind, part)
        log.info("wrote %s", output / f"{kind}.safetensors")
    tags = next(iter(parts.values())).header.tags
    return write_talker(output, settings={"tags": list(tags)} if tags else {})


def _write_merged(path: Path, kind: str, adapter: Adapter) -> None:
    """Replace a model file by the same model with the adapter added; absent parts stay absent."""
    base, header = LOADERS[kind](path)
    model = adapted(base, adapter)
    changed = dataclasses.replace(
        header,
        config=dataclasses.asdict(model.config),
        source=f"{header.source}, merged with adapter {adapter.header.name}",
        tags=adapter.header.tags or header.tags,
    )
    state = {n: t for n, t in model.state_dict().items() if not n.startswith(header.absent)}
    write_safetensors(path, state, header=changed.to_json())
