"""Rename tensors by a table of name templates; the same table read backwards undoes it.

    ("h.layers.{i}.norm1.{rest}", "layers.{i}.attention_norm.{rest}")

``{i}``, ``{j}``, ``{k}`` stand for numbers, ``{rest}`` for any ending. The first template that
fits a name
decides. A name no template fits is an error that lists it: nothing is dropped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from GPT_SoVITS.checkpoints.errors import CheckpointError

Table = Sequence[tuple[str, str]]
T = TypeVar("T")
SHOWN = 8


def renamed(tensors: Mapping[str, T], table: Table, *, path: object) -> dict[str, T]:
    """``tensors`` under the right-hand names of ``table``. Raises `CheckpointError`."""
    rules = [(_pattern(left), right) for left, right in table]
    result: dict[str, T] = {}
    unknown: list[str] = []
    for name, value in tensors.items():
        for pattern, template in rules:
            if match := pattern.fullmatch(name):
                result[template.format(**match.groupdict())] = value
                break
        else:
            unknown.append(name)
    if unknown:
        more = f" … and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise CheckpointError(f"{path}: unexpected tensors {', '.join(unknown[:SHOWN])}{more}")
    if len(result) != len(tensors):
        raise CheckpointError(f"{path}: two tensors have the same meaning")
    return result


def reverse(table: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The table read from right to left."""
    return [(right, left) for left, right in table]


def _pattern(template: str) -> re.Pattern[str]:
    """``a.{i}.b.{rest}`` as a regular expression with named groups."""
    parts = re.split(r"(\{\w+\})", template)
    out = []
    for part in parts:
        if part.startswith("{"):
            name = part[1:-1]
            out.append(f"(?P<{name}>.+)" if name == "rest" else rf"(?P<{name}>\d+)")
        else:
            out.append(re.escape(part))
    return re.compile("".join(out))
