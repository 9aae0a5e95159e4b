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

from GPT_SoVITS.checkpoints.detect import Detected
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.judge import TABLES, judge
from GPT_SoVITS.checkpoints.keymaps_s2 import FRAMES_PER_CODE, POSTERIOR
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.checkpoints.scrub import scrubbed
from GPT_SoVITS.checkpoints.tables import compare_tables
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
    judged = judge(content, path=path)
    found, config, state = judged.found, judged.config, judged.state
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    absent = (POSTERIOR,) if found.kind == "s2" and not _has(state, "enc_q.") else ()
    expected = {
        name: shape
        for name, shape in expected_shapes(found.kind, config, path=path).items()
        if not name.startswith(absent or ("\0",))
    }
    compare_tables(path, renamed(expected, reverse(TABLES[found.kind]), path=path), shapes)
    _check_finite(path, state)
    published = {
        "form": judged.form,
        "header": digits,
        "version": found.version,
        "config": scrubbed(judged.stored or {}),
        "info": scrubbed([content.get("info")])[:1],
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
        quantizer_id=tokenizer_of(judged.ours).quantizer_id(feature) if tokens else "",
        layout={"order": "grouped"} if found.kind == "s1" else {},
        source=f"imported {judged.form} {found.kind} {found.version}".rstrip() + source,
        licence=LICENCE_NOTE,
        absent=absent,
        extra={"published": published},
    )
    return Imported(detected=found, header=header, tensors=judged.ours)


def sha256(path: str | Path) -> str:
    """Hash of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _has(state: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in state)


def _check_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{path}: {name} holds values that are not finite (NaN or inf)")
