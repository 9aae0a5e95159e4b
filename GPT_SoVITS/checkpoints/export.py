"""Our model -> a file the published programs read. Import followed by export changes nothing.

    s1   {"weight": {"model.…": half}, "config": {…}, "info": "GPT-e15"}   zip starting "PK"
    s2   {"weight": {…: half, no enc_q}, "config": {…}, "info": "…"}       "05" v2Pro, "06" ProPlus
    s2d  {"weight": {…}}, as the base files s2D*.pth
    sv   {…}, a bare state dict

A part the published network does not have (roles, turn distance, style) cannot be exported unless
it is still zero, that is without effect; otherwise the export is refused and names it.
"""

from __future__ import annotations

import io
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.atomic import replacing
from GPT_SoVITS.checkpoints.container import read_safetensors
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES, S1_OURS_ONLY, published_s1_config
from GPT_SoVITS.checkpoints.keymaps_s2 import (
    DISCRIMINATOR_NAMES,
    POSTERIOR,
    S2_NAMES,
    S2_OURS_ONLY,
    SPEAKER_NAMES,
    published_s2_config,
)
from GPT_SoVITS.checkpoints.rename import Table, renamed, reverse

log = logging.getLogger(__name__)
S1_PREFIX = "model."
DIGITS = {"v2Pro": b"05", "v2ProPlus": b"06"}
DTYPES = {"float16": torch.float16, "float32": torch.float32}


def export_file(source: str | Path, target: str | Path, *, dtype: str | None = None) -> Path:
    """Write ``source`` (``s1.safetensors``, ``s2.safetensors``) in the published form.

    ``dtype`` is ``float16`` (as published exports are) or ``float32``; by default the form the
    weights
    were imported in is restored, and ``float16`` for weights trained here.
    """
    source, target = Path(source), Path(target)
    tensors, values = read_safetensors(source)
    header = ModelHeader.from_json(values, path=source)
    content, digits = published(tensors, header, path=source, dtype=dtype)
    if header.feature.get("kind", "hubert") != "hubert":
        log.warning(
            "%s: its tokens are made of %s features; GPT-SoVITS makes HuBERT tokens only and will "
            "read this file without being able to speak with it",
            *(source, header.feature["kind"]),
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(content, target, digits)
    return target


def published(
    tensors: Mapping[str, torch.Tensor],
    header: ModelHeader,
    *,
    path: str | Path,
    dtype: str | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Content of the published file (any shape), and the bytes in place of "PK" (empty: keep)."""
    if header.kind == "s1":
        return _published_s1(tensors, header, path=path, dtype=dtype), b""
    if header.kind == "s2":
        digits = DIGITS.get(header.config["version"], b"")
        before = header.extra.get("published") or {}
        if before and not before.get("header"):
            digits = b""  # a base file starts with PK whatever its version
        return _published_s2(tensors, header, path=path, dtype=dtype), digits
    before = header.extra.get("published") or {}
    table = SPEAKER_NAMES if header.kind == "sv" else DISCRIMINATOR_NAMES
    theirs = back_to_theirs(tensors, table, path=path, order=before.get("names", ()))
    weight = OrderedDict((name, _cast(value, dtype, before)) for name, value in theirs.items())
    if header.kind == "sv":
        return weight, b""
    return OrderedDict(weight=weight, config={}, info=""), b""


def _published_s1(
    tensors: Mapping[str, torch.Tensor],
    header: ModelHeader,
    *,
    path: str | Path,
    dtype: str | None,
) -> dict[str, Any]:
    before = header.extra.get("published") or {}
    kept = without_effect(tensors, S1_OURS_ONLY, path=path)
    theirs = back_to_theirs(kept, S1_NAMES, path=path, order=before.get("names", ()))
    prefixed = {S1_PREFIX + name: value for name, value in theirs.items()}
    config = published_s1_config(header.config, stored=before.get("config"))
    info = (before.get("info") or [None])[0] or "GPT-e0"
    weight = OrderedDict((name, _cast(value, dtype, before)) for name, value in prefixed.items())
    return OrderedDict(weight=weight, config=config, info=str(info))


def _published_s2(
    tensors: Mapping[str, torch.Tensor],
    header: ModelHeader,
    *,
    path: str | Path,
    dtype: str | None,
) -> dict[str, Any]:
    before = header.extra.get("published") or {}
    kept = dict(tensors)
    for prefix, gate in S2_OURS_ONLY.items():
        without_effect({n: v for n, v in kept.items() if n.startswith(gate)}, (gate,), path=path)
        kept = {name: value for name, value in kept.items() if not name.startswith(prefix)}
    if not before:  # trained here: an export leaves the posterior encoder out, as published ones do
        kept = {name: value for name, value in kept.items() if not name.startswith(POSTERIOR)}
    theirs = back_to_theirs(kept, S2_NAMES, path=path, order=before.get("names", ()))
    weight = OrderedDict((name, _cast(value, dtype, before)) for name, value in theirs.items())
    config = published_s2_config(header.config, stored=before.get("config"))
    info = (before.get("info") or [None])[0] or "0epoch_0iteration"
    return OrderedDict(weight=weight, config=config, info=str(info))


def back_to_theirs(
    tensors: Mapping[str, torch.Tensor],
    table: Table,
    *,
    path: str | Path,
    order: Sequence[str] = (),
) -> dict[str, torch.Tensor]:
    """``tensors`` (any shape) under published names, in the ``order`` of their own file."""
    theirs = renamed(tensors, reverse(table), path=path)
    place = {name: number for number, name in enumerate(order)}
    return dict(sorted(theirs.items(), key=lambda item: place.get(item[0], len(place))))


def without_effect(
    tensors: Mapping[str, torch.Tensor], prefixes: tuple[str, ...], *, path: str | Path
) -> dict[str, torch.Tensor]:
    """``tensors`` (any shape) without our own additions; refused if one of them is not zero."""
    ours = [name for name in tensors if name.startswith(prefixes)]
    trained = [name for name in ours if bool(tensors[name].any())]
    if trained:
        raise CheckpointError(
            f"{path}: {', '.join(trained[:4])} were trained and have no place in the published form"
        )
    return {name: value for name, value in tensors.items() if name not in ours}


def _cast(value: torch.Tensor, dtype: str | None, before: Mapping[str, Any]) -> torch.Tensor:
    if not value.is_floating_point():
        return value
    if dtype is None:
        return value if before else value.half()
    if dtype not in DTYPES:
        raise CheckpointError(f"dtype is {dtype!r}; it must be one of {sorted(DTYPES)}")
    return value.to(DTYPES[dtype])


def _write(content: Mapping[str, Any], target: Path, digits: bytes) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing(target) as partial, partial.open("wb") as file:
        file.write(digits or buffer.getvalue()[:2])
        file.write(buffer.getbuffer()[2:])
