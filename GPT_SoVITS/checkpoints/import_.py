"""Published checkpoint -> our tensors and header. Every tensor is used, or named in an error.

``import_file(path)`` takes exported and base files, training files (``G_*.pth``, ``D_*.pth``) and
Lightning
checkpoints. Kind and version are found from the tensors (``detect``); sizes come from the tensors
and the stored config, and both are compared before a network is built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.checkpoints.compare import check_sizes, compare_tables
from GPT_SoVITS.checkpoints.detect import Detected, detect, find_state, stored_config
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.keymaps import s1_config
from GPT_SoVITS.checkpoints.keymaps_s2 import (
    FRAMES_PER_CODE,
    POSTERIOR,
    TABLES,
    s2_config,
)
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.checkpoints.scrub import scrubbed
from GPT_SoVITS.checkpoints.sizes_s2 import Shapes
from GPT_SoVITS.checkpoints.tokenizer_file import tokenizer_of

LICENCE_NOTE = "not stated in the file; see the page the weights were downloaded from"


@dataclass(frozen=True)
class Imported:
    """A published file in our names, ready to be written."""

    detected: Detected
    header: ModelHeader
    tensors: dict[str, torch.Tensor]


def import_file(path: str | Path) -> Imported:
    """Read, recognise, rename and check one published file."""
    path = Path(path)
    legacy = read_legacy(path)
    return convert(legacy.content, path=path, digits=legacy.header, digest=sha256)


def convert(
    content: Mapping[str, Any],
    *,
    path: Path,
    digits: str = "",
    digest: Callable[[Path], str] | None = None,
) -> Imported:
    """The content of a published file -> our names; ``path`` is what errors name.

    ``digest`` hashes the file last, when everything else has been accepted.
    """
    state, form = find_state(content, path=path)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    found = detect(shapes, path=path)
    stored = stored_config(content, path)
    config = _config(stored, found, shapes, path)
    absent = (POSTERIOR,) if found.kind == "s2" and not _has(state, "enc_q.") else ()
    ours = renamed(state, TABLES[found.kind], path=path)
    check_sizes(path, config, n_tensors=len(ours))
    expected = {
        name: shape
        for name, shape in expected_shapes(found.kind, config, path=path).items()
        if not name.startswith(absent)
    }
    compare_tables(path, renamed(expected, reverse(TABLES[found.kind]), path=path), shapes)
    _check_finite(path, state)
    published = {
        "form": form,
        "header": digits,
        "version": found.version,
        "config": scrubbed(stored or {}),
        "info": scrubbed([info for info in [content.get("info")] if isinstance(info, str)]),
        "names": list(state),
    }
    feature = {"kind": "hubert", "dim": config["ssl_dim"]} if found.kind == "s2" else {}
    tokens = found.kind == "s2" and config["frames_per_code"] == FRAMES_PER_CODE["25hz"]
    source = f"; sha256 {digest(path)}" if digest else ""
    header = ModelHeader(
        kind=found.kind,
        config=config,
        symbols=found.symbols or "v2",
        feature=feature,
        quantizer_id=tokenizer_of(ours).quantizer_id(feature) if tokens else "",
        layout={"order": "grouped"} if found.kind == "s1" else {},
        source=f"imported {form} {found.kind} {found.version}".rstrip() + source,
        licence=LICENCE_NOTE,
        absent=absent,
        extra={"published": published},
    )
    return Imported(detected=found, header=header, tensors=ours)


def sha256(path: str | Path) -> str:
    """Hash of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _config(
    stored: Mapping[str, Any] | None, found: Detected, shapes: Shapes, path: Path
) -> dict[str, Any]:
    if found.kind == "s1":
        return s1_config(stored, path=path)
    if found.kind == "s2":
        return s2_config(stored, found, shapes, path=path)
    return {"version": found.version} if found.kind == "s2d" else {}


def _has(state: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {name} holds values that are not finite (NaN or inf)")
