"""What a run was: resolved config, git commit, data fingerprint, in `<run>/<stage>/run.json`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.atomic import write_text
from GPT_SoVITS.training.config import ConfigError
from GPT_SoVITS.training.prepared import PreparedData

log = logging.getLogger(__name__)
FILE = "run.json"
LENGTH_KEYS = {"trainer", "run"}
"""Groups that may change when a run is resumed: its length, its place."""
SHAPE_OF_STATE = ("optimizer.name", "optimizer.lr_ratios")
"""Keys that say which state an optimiser has: with others it cannot be read."""


def write_facts(
    folder: Path, options: Mapping[str, Any], data: PreparedData, *, resumed: bool
) -> dict[str, Any]:
    """Write the file; on a resumed run say first what differs, or raise `ConfigError`."""
    facts = {
        "config": {name: _plain(group) for name, group in options.items()},
        "git_commit": git_commit(),
        "data": data_fingerprint(data),
        "torch": torch.__version__,
    }
    path = folder / FILE
    if resumed and path.is_file():
        for line in differences(json.loads(path.read_text(encoding="utf-8")), facts):
            if line.startswith(SHAPE_OF_STATE):
                raise ConfigError(
                    f"{line}: the checkpoint's optimiser cannot go on; resume with the former "
                    "value, or begin anew with --resume never"
                )
            log.warning("resumed, but %s", line)
    write_text(path, json.dumps(facts, indent=1, ensure_ascii=False))  # every rank the same
    return facts


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Why the resumed run may not go on as the first one would have."""
    found = [] if before.get("data") == now["data"] else ["the prepared data is another"]
    for group, values in now["config"].items():
        old = before.get("config", {}).get(group, {})
        if group in LENGTH_KEYS or not isinstance(values, dict):
            continue
        for key, value in values.items():
            if key in old and old[key] != value:
                found.append(f"{group}.{key} was {old[key]} and is {value}")
    return found


def git_commit() -> str:
    """The checkout's commit, with `+` where files differ from it; empty outside a checkout."""
    here = Path(__file__).parent
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def data_fingerprint(data: PreparedData) -> str:
    """16 hex digits of the sequences a training reads."""
    digest = hashlib.sha256()
    for path in sorted((data.folder / "5_sequences").glob("*.json*")):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    values = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
    return json.loads(json.dumps(values, default=str))
