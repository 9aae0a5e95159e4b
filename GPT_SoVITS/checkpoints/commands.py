"""``python -m GPT_SoVITS import-checkpoint FILE… --output DIR`` and ``export-checkpoint``.

Exit codes: 0 done, 2 a file was refused (stderr says which and why; nothing is half written).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from GPT_SoVITS.checkpoints.container import CheckpointError, write_safetensors
from GPT_SoVITS.checkpoints.export import DTYPES, export_file
from GPT_SoVITS.checkpoints.format import read_header
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.import_ import Imported, import_file
from GPT_SoVITS.checkpoints.talker_folder import TOKENIZER_FILE, check_match
from GPT_SoVITS.checkpoints.tokenizer_file import save_tokenizer, tokenizer_of

log = logging.getLogger(__name__)
FILE_OF_KIND = {kind: f"{kind}.safetensors" for kind in ("s1", "s2", "s2d", "sv")}
REFUSED = 2


def import_checkpoint(arguments: Sequence[str] | None = None) -> int:
    """Published files -> a talker folder; every file is checked before the first is written."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS import-checkpoint",
        description="Turn published GPT-SoVITS / GPT-Talker files into a talker folder.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".ckpt or .pth")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="talker folder")
    args = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        import_files(args.files, args.output)
    except (CheckpointError, OSError) as error:
        log.error("error: %s", error)
        return REFUSED
    return 0


def import_files(files: Sequence[Path], output: Path) -> dict[str, Imported]:
    """Import and write; returns what was imported by kind."""
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
    return parts


def export_checkpoint(arguments: Sequence[str] | None = None) -> int:
    """Files of ours -> published form, beside each other in a folder or under a given name."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS export-checkpoint",
        description="Write s1.safetensors / s2.safetensors so that GPT-SoVITS can read them.",
    )
    parser.add_argument("source", type=Path, help="a model file of ours, or a talker folder")
    parser.add_argument("--output", type=Path, required=True, help="file, or folder for a talker")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="default: as imported")
    args = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        for source, target in _export_plan(args.source, args.output):
            log.info("%s", export_file(source, target, dtype=args.dtype))
    except (CheckpointError, OSError) as error:
        log.error("error: %s", error)
        return REFUSED
    return 0


def _export_plan(source: Path, output: Path) -> list[tuple[Path, Path]]:
    if not source.is_dir():
        return [(source, output)]
    plan = [("s1.safetensors", "s1.ckpt"), ("s2.safetensors", "s2.pth")]
    plan += [("s2d.safetensors", "s2D.pth"), ("sv.safetensors", "sv.ckpt")]
    found = [(source / ours, output / theirs) for ours, theirs in plan if (source / ours).is_file()]
    if not found:
        raise CheckpointError(f"{source}: no s1, s2, s2d or sv.safetensors in it")
    return found


def _check_symbols(output: Path, headers: dict[str, ModelHeader]) -> None:
    said = {FILE_OF_KIND[k]: h.symbols for k, h in headers.items() if k in ("s1", "s2")}
    check_match(output, "symbols", said)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
