"""A talker to give away: `python -m GPT_SoVITS pack-talker runs/demo/talker --output models/demo`.

    s1, s2      half precision; s2 without its posterior encoder, which only training needs
    tokenizer   without the running sums of its codebook
    the rest as it is, but adapters, which stay behind; of the known speakers those that
    `--speakers` names, or all

Half of the size for an error that is not heard. What is packed speaks, streams and takes adapters
of stage 1; stage 2 is trained on from the folder it came from.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.checkpoints.talker_folder import (
    SPEAKER_FILE,
    TalkerFolder,
    copy_atomic,
    feature_folders,
    read_talker,
    write_talker,
)
from GPT_SoVITS.checkpoints.tokenizer_file import RUNNING_SUMS

log = logging.getLogger(__name__)
TRAINING_ONLY = ("posterior_encoder.",)
REFUSED = 2


def pack_talker(source: str | Path, output: str | Path, *, speakers: Sequence[str] = ()) -> Path:
    """Write the packed copy -> its folder; the source stays as it is. Raises `CheckpointError`."""
    folder, output = read_talker(source), Path(output)
    if output.exists():
        raise CheckpointError(f"{output} exists; choose another --output or delete it")
    kept = _speakers(folder, speakers)
    try:
        _write(folder, output, kept)
    except BaseException:
        shutil.rmtree(output, ignore_errors=True)
        raise
    return output


def _write(folder: TalkerFolder, output: Path, speakers: dict[str, dict[str, object]]) -> None:
    _pack(folder.s1_path, output / folder.s1_path.name, ())
    _pack(folder.s2_path, output / folder.s2_path.name, TRAINING_ONLY)
    if folder.tokenizer_path:
        tensors, fields = read_safetensors(folder.tokenizer_path)
        table = {name: value for name, value in tensors.items() if name not in RUNNING_SUMS}
        write_safetensors(output / folder.tokenizer_path.name, table, header=fields)
    if (folder.folder / SPEAKER_FILE).is_file():
        copy_atomic(folder.folder / SPEAKER_FILE, output / SPEAKER_FILE)
    settings = {**folder.settings, **feature_folders(folder.folder, seen_from=output)}
    if settings.get("lexicon"):
        lexicon = folder.folder / str(settings["lexicon"])
        copy_atomic(lexicon, output / lexicon.name)
        settings["lexicon"] = lexicon.name
    write_talker(output, settings=settings, speakers=speakers)


def _speakers(folder: TalkerFolder, wanted: Sequence[str]) -> dict[str, dict[str, object]]:
    """Entries of the speakers that go along."""
    missing = [name for name in wanted if name not in folder.speakers]
    if missing:
        known = ", ".join(folder.speakers) or "none"
        raise CheckpointError(f"{folder.folder}: no speaker {missing[0]!r}; there are {known}")
    names = wanted or list(folder.speakers)
    return {name: dataclasses.asdict(folder.speakers[name]) for name in names}


def _pack(source: Path, target: Path, left_out: tuple[str, ...]) -> None:
    tensors, fields = read_safetensors(source)
    header = ModelHeader.from_json(fields, path=source)
    kept = {
        name: value.half() if value.is_floating_point() else value
        for name, value in tensors.items()
        if not name.startswith(left_out)
    }
    for name, value in kept.items():
        if not bool(value.isfinite().all()):
            raise CheckpointError(
                f"{source}: {name} has values half precision cannot hold (above 65504, or not "
                "finite at all); give the folder away as it is"
            )
    absent = tuple(sorted({*header.absent, *left_out}))
    write_safetensors(target, kept, header=dataclasses.replace(header, absent=absent).to_json())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 2 where the talker is refused."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS pack-talker",
        description="Copy a talker for inference: half precision, nothing for training.",
    )
    parser.add_argument("source", type=Path, metavar="DIR", help="talker folder")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="new folder")
    parser.add_argument("--speakers", nargs="+", default=(), metavar="NAME", help="only these")
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        folder = pack_talker(args.source, args.output, speakers=args.speakers)
    except (CheckpointError, OSError) as error:
        log.error("error: %s", error)
        return REFUSED
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    log.info("%s: %.1f MB", folder, size / 1e6)
    return 0
