"""``python -m GPT_SoVITS import-checkpoint FILE… --output DIR`` and ``export-checkpoint``.

Exit codes: 0 done, 2 a file was refused (stderr says which and why; nothing is half written).
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.precheck import check_file

log = logging.getLogger(__name__)
DTYPES = ("float16", "float32")
REFUSED = 2


def import_checkpoint(arguments: Sequence[str] | None = None) -> int:
    """Published files -> a talker folder; every file is checked before the first is written."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS import-checkpoint",
        description="Turn published GPT-SoVITS / GPT-Talker files into a talker folder.",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".ckpt or .pth")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="talker folder")
    parser.add_argument("--hubert", type=Path, metavar="DIR", help="local chinese-hubert-base")
    parser.add_argument("--bert", type=Path, metavar="DIR", help="local roberta-wwm-ext-large")
    args = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        for path in args.files:  # before torch is loaded: a bad file costs no second
            check_file(path)
        from GPT_SoVITS.checkpoints.import_folder import import_files

        folders = {"hubert": args.hubert, "bert": args.bert}
        import_files(args.files, args.output, features=folders)
    except (CheckpointError, OSError) as error:
        log.error("error: %s", error)
        return REFUSED
    return 0


def export_checkpoint(arguments: Sequence[str] | None = None) -> int:
    """Files of ours -> published form, beside each other in a folder or under a given name."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS export-checkpoint",
        description="Write s1.safetensors / s2.safetensors so that GPT-SoVITS can read them.",
    )
    parser.add_argument("source", type=Path, help="a model file of ours, or a talker folder")
    parser.add_argument("--output", type=Path, required=True, help="file, or folder for a talker")
    parser.add_argument("--dtype", choices=DTYPES, help="default: as imported")
    args = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        from GPT_SoVITS.checkpoints.export import export_file

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


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
