"""``python -m GPT_SoVITS doctor [--model DIR]``: what works on this machine, as JSON on stdout."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.checkpoints import CheckpointError, read_talker

PACKAGES = ("torch", "numpy", "safetensors", "transformers", "pytorch-lightning", "soundfile")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; exit code 1 if the given model cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m GPT_SoVITS doctor", description=__doc__)
    parser.add_argument("--model", type=Path, help="a talker folder to check")
    args = parser.parse_args(arguments)
    found = machine()
    if args.model is not None:
        found["model"] = model(args.model)
    sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 1 if "error" in found.get("model", {}) else 0


def machine() -> dict[str, Any]:
    """Python, packages, processor, devices."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cuda": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "packages": {name: _version(name) for name in PACKAGES},
    }


def model(folder: Path) -> dict[str, Any]:
    """What a talker folder says about itself, or why it cannot be used."""
    try:
        talker = read_talker(folder)
    except CheckpointError as error:
        return {"error": str(error)}
    return {
        "symbols": talker.s1.symbols,
        "tags": list(talker.s1.tags),
        "feature": dict(talker.feature),
        "quantizer_id": talker.quantizer_id,
        "layout": dict(talker.s1.layout),
        "speakers": len(talker.speakers),
        "source": {"s1": talker.s1.source, "s2": talker.s2.source},
        "licence": {"s1": talker.s1.licence, "s2": talker.s2.licence},
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"
