"""Published checkpoint -> our tensors and header. Every tensor is used, or named in an error.

``import_file(path)`` takes exported and base files, training files (``G_*.pth``, ``D_*.pth``) and
Lightning
checkpoints. Kind and version are found from the tensors (``detect``); sizes come from the stored
config
and are compared with the tensors before a network is built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.checkpoints.container import CheckpointError
from GPT_SoVITS.checkpoints.detect import Detected, detect, find_state
from GPT_SoVITS.checkpoints.format import check_sizes, compare_tables, expected_shapes
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES, s1_config
from GPT_SoVITS.checkpoints.keymaps_s2 import (
    DISCRIMINATOR_NAMES,
    POSTERIOR,
    S2_NAMES,
    s2_config,
)
from GPT_SoVITS.checkpoints.legacy import LegacyFile, read_legacy
from GPT_SoVITS.checkpoints.rename import Table, renamed
from GPT_SoVITS.checkpoints.scrub import scrubbed
from GPT_SoVITS.checkpoints.tokenizer_file import tokenizer_of

LICENCE_NOTE = "not stated in the file; see the page the weights were downloaded from"
HUBERT = {"kind": "hubert"}
TABLES: dict[str, Table] = {"s1": S1_NAMES, "s2": S2_NAMES, "s2d": DISCRIMINATOR_NAMES}
KIND_WORDS = {
    "s1": "semantic GPT",
    "s2": "synthesiser",
    "s2d": "set of discriminators",
    "sv": "speaker network",
}


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
    state, form = find_state(legacy.content, path=path)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    found = detect(shapes, path=path)
    config = _config(legacy, found)
    absent = (POSTERIOR,) if found.kind == "s2" and not _has(state, "enc_q.") else ()
    if found.kind not in TABLES:
        raise CheckpointError(f"{path}: a {KIND_WORDS[found.kind]}; its import is not built yet")
    ours = renamed(state, TABLES[found.kind], path=path)
    check_sizes(path, config, n_tensors=len(ours))
    expected = {
        name: shape
        for name, shape in expected_shapes(found.kind, config, path=path).items()
        if not name.startswith(absent or ("\0",))
    }
    compare_tables(path, expected, {name: tuple(value.shape) for name, value in ours.items()})
    _check_finite(path, ours)
    published = {
        "form": form,
        "header": legacy.header,
        "version": found.version,
        "config": scrubbed(_stored_config(legacy) or {}),
        "info": scrubbed([legacy.content.get("info")])[:1],
    }
    header = ModelHeader(
        kind=found.kind,
        config=config,
        symbols=found.symbols or "v2",
        feature=HUBERT if found.kind == "s2" else {},
        quantizer_id=tokenizer_of(ours).quantizer_id(HUBERT) if found.kind == "s2" else "",
        layout={"order": "grouped"} if found.kind == "s1" else {},
        source=f"imported {form} {found.kind} {found.version}; sha256 {sha256(path)}",
        licence=LICENCE_NOTE,
        absent=absent,
        extra={"published": published},
    )
    return Imported(detected=found, header=header, tensors=ours)


def sha256(path: str | Path) -> str:
    """Hash of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored_config(legacy: LegacyFile) -> Mapping[str, Any] | None:
    config = legacy.content.get("config")
    if config is None:
        config = (legacy.content.get("hyper_parameters") or {}).get("config")
    if config is not None and not isinstance(config, Mapping):
        raise CheckpointError(f"{legacy.path}: its config is a {type(config).__name__}")
    return config


def _config(legacy: LegacyFile, found: Detected) -> dict[str, Any]:
    if found.kind == "s1":
        return s1_config(_stored_config(legacy), path=legacy.path)
    if found.kind == "s2":
        return s2_config(_stored_config(legacy), found, path=legacy.path)
    return {"version": found.version}


def _has(state: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {name} holds values that are not finite (NaN or inf)")
