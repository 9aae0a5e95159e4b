"""Published files -> one talker folder; every file is checked before the first is written."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from GPT_SoVITS.checkpoints.container import write_safetensors
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import read_header
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.import_ import Imported, import_file
from GPT_SoVITS.checkpoints.talker_folder import TOKENIZER_FILE, check_match, write_talker
from GPT_SoVITS.checkpoints.tokenizer_file import save_tokenizer, tokenizer_of

log = logging.getLogger(__name__)
FILE_OF_KIND = {kind: f"{kind}.safetensors" for kind in ("s1", "s2", "s2d", "sv")}


def import_files(
    files: Sequence[Path], output: Path, *, features: Mapping[str, Path | None] | None = None
) -> dict[str, Imported]:
    """Import and write; returns what was imported by kind.

    ``features`` names folders of ``hubert`` and ``bert``, noted relative to the talker folder.

    Raises `CheckpointError`.
    """
    for folder in (features or {}).values():
        if folder is not None and not (folder / "config.json").is_file():
            raise CheckpointError(f"{folder}: no config.json; not a folder of a transformers model")
    parts: dict[str, Imported] = {}
    for path in files:
        one = import_file(path)
        kind = one.header.kind
        if kind in parts:
            raise CheckpointError(f"{path}: a second {kind} file; give one of each kind")
        parts[kind] = one
    headers = {kind: one.header for kind, one in parts.items()}
    for kind in ("s1", "s2"):
        if kind not in headers and (output / FILE_OF_KIND[kind]).is_file():
            headers[kind] = read_header(output / FILE_OF_KIND[kind])
    _check_symbols(output, headers)
    for kind, one in parts.items():
        path = write_safetensors(
            output / FILE_OF_KIND[kind], one.tensors, header=one.header.to_json()
        )
        if one.header.quantizer_id:
            tokenizer = tokenizer_of(one.tensors)
            save_tokenizer(output / TOKENIZER_FILE, tokenizer, feature=one.header.feature)
        count = sum(value.numel() for value in one.tensors.values())
        log.info(
            "%s: %s, %d tensors, %.1f M values",
            path,
            one.header.source,
            len(one.tensors),
            count / 1e6,
        )
    noted = {
        kind: os.path.relpath(folder, output)
        for kind, folder in (features or {}).items()
        if folder is not None
    }
    if noted:
        write_talker(output, settings=noted)
    return parts


def _check_symbols(output: Path, headers: dict[str, ModelHeader]) -> None:
    said = {FILE_OF_KIND[k]: h.symbols for k, h in headers.items() if k in ("s1", "s2")}
    check_match(output, "symbols", said)
