"""Two tables of tensor names and shapes: the same, or an error that lists the differences; and
sizes no file can hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

MAX_CONFIG_NUMBER = 2**20
SHOWN = 8


def compare_tables(
    path: str | Path, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise unless both tables have the same names and shapes; the message lists the
    differences."""
    problems = [f"missing {name}" for name in expected if name not in found]
    problems += [f"unexpected {name}" for name in found if name not in expected]
    problems += [
        f"{name}: shape {found[name]} where the config asks for {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    if problems:
        more = f" … and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise CheckpointError(f"{path}: " + "; ".join(problems[:SHOWN]) + more)


def check_sizes(path: str | Path, config: Mapping[str, Any], *, n_tensors: int) -> None:
    """Refuse sizes no file of this size can hold, before a network is built from them."""
    for name, value in config.items():
        items = value if isinstance(value, list) else [value]
        numbers = [n for n in items if isinstance(n, int) and not isinstance(n, bool)]
        limit = n_tensors if "layer" in name else MAX_CONFIG_NUMBER
        if any(abs(n) > limit for n in numbers):
            raise CheckpointError(f"{path}: config {name} = {value} is beyond what the file holds")
