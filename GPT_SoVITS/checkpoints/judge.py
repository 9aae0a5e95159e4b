"""A published file judged by what it says of itself, before torch is imported.

    zip_check        structure, members, the names its pickle uses
    pickle_outline   names and shapes of the tensors, the stored config
    here             kind, config, names, shapes; values that are not finite, read with numpy

The import looks at everything again with torch; this door only makes a refusal quick and cheap.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from GPT_SoVITS.checkpoints.detect import Detected, detect, find_state
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES, s1_config, s1_shapes
from GPT_SoVITS.checkpoints.keymaps_s2 import (
    DISCRIMINATOR_NAMES,
    S2_NAMES,
    SPEAKER_NAMES,
    s2_config,
)
from GPT_SoVITS.checkpoints.pickle_outline import Outline, outline
from GPT_SoVITS.checkpoints.rename import Table, renamed
from GPT_SoVITS.checkpoints.tables import check_sizes, compare_tables
from GPT_SoVITS.checkpoints.zip_check import checked

TABLES: dict[str, Table] = {
    "s1": S1_NAMES,
    "s2": S2_NAMES,
    "s2d": DISCRIMINATOR_NAMES,
    "sv": SPEAKER_NAMES,
}
BFLOAT16_EXPONENT = 0x7F80


@dataclass(frozen=True)
class Judged:
    """What names, shapes and the stored config tell of a published file."""

    found: Detected
    form: str
    """``exported``, ``training``, ``lightning`` or ``bare``."""
    stored: Mapping[str, Any] | None
    """The config inside the file, as it came."""
    config: dict[str, Any]
    """Values of our config class."""
    state: dict[str, Any]
    """Tensors (or their outlines) under the published names, without a leading ``model.``."""
    ours: dict[str, Any]
    """The same under our names."""


def judge_file(path: str | Path) -> Judged:
    """:class:`CheckpointError` naming file and reason unless the file can be imported.

    Sizes that only a built network shows (all but s1's) are compared later.
    """
    path = Path(path)
    with checked(path) as (source, _):
        archive = zipfile.ZipFile(source)
        name = next(one for one in archive.namelist() if one.endswith("data.pkl"))
        content = outline(path, archive.read(name))
        if not isinstance(content, dict):
            raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a dictionary")
        judged = judge(content, path=path)
        if judged.found.kind == "s1":
            shapes = {key: tuple(value.shape) for key, value in judged.state.items()}
            compare_tables(path, s1_shapes(judged.config), shapes)
        _check_finite(path, source, name.removesuffix("data.pkl"), judged.state)
    return judged


def judge(content: Mapping[str, Any], *, path: Path) -> Judged:
    """Kind, config and names; ``content`` holds tensors or outlines of them."""
    state, form = find_state(content, path=path)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    found = detect(shapes, path=path)
    stored = _stored_config(content, path)
    if found.kind == "s1":
        config = s1_config(stored, path=path)
    elif found.kind == "s2":
        config = s2_config(stored, found, shapes, path=path)
    else:
        config = {"version": found.version} if found.kind == "s2d" else {}
    ours = renamed(state, TABLES[found.kind], path=path)
    check_sizes(path, config, n_tensors=len(ours))
    return Judged(found, form, stored, config, state, ours)


def _stored_config(content: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    config = content.get("config")
    if config is None:
        around = content.get("hyper_parameters")
        config = around.get("config") if isinstance(around, Mapping) else None
    if config is not None and not isinstance(config, Mapping):
        raise CheckpointError(f"{path}: its config is a {type(config).__name__}")
    return config


def _check_finite(path: Path, source: BinaryIO, folder: str, state: Mapping[str, Outline]) -> None:
    """Reads tensor by tensor: memory of the largest one."""
    archive = zipfile.ZipFile(source)
    members = set(archive.namelist())
    order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in members else b"little"
    if order != b"little":
        raise CheckpointError(f"{path}: written on a machine of {order!r} byte order; refused")
    for name, tensor in state.items():
        member = f"{folder}data/{tensor.storage.key}"
        if member not in members:
            raise CheckpointError(f"{path}: the values of {name} are missing from the file")
        _check_tensor(path, name, tensor, archive.read(member))


def _check_tensor(path: Path, name: str, tensor: Outline, data: bytes) -> None:
    import numpy as np

    stored = tensor.storage
    values = np.frombuffer(data, "<u2" if stored.dtype == "bf16" else stored.dtype)
    if not prod(tensor.shape):
        return
    reach = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride, strict=True))
    if prod(tensor.shape) > len(values) or tensor.offset + reach >= len(values):
        raise CheckpointError(f"{path}: {name} of {tensor.shape} exceeds its storage")
    used = values[tensor.offset : tensor.offset + reach + 1]
    if stored.dtype == "bf16":
        finite = bool(((used & BFLOAT16_EXPONENT) != BFLOAT16_EXPONENT).all())
    else:
        finite = values.dtype.kind != "f" or bool(np.isfinite(used).all())
    if not finite:
        raise CheckpointError(f"{path}: {name} holds values that are not finite (NaN or inf)")
