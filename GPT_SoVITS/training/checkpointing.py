"""Checkpoints one can trust: atomic, hashed, the last two kept, read without running code."""

from __future__ import annotations

import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from torch import Tensor, nn

from GPT_SoVITS.atomic import write_text
from GPT_SoVITS.checkpoints.import_ import sha256
from GPT_SoVITS.training.progress import steps_done

log = logging.getLogger(__name__)
NAME = re.compile(r"step=(\d+)\.ckpt")
KEEP = 2
EARLIER = "earlier"


class CheckpointFault(RuntimeError):
    """A checkpoint that could not be written or read."""


class AtomicCheckpointIO(CheckpointIO):
    """Temporary file in the same folder, fsync, replace, sha256 beside it."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Raises where the folder cannot be written; the previous file stays whole."""
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                write_text(path.with_suffix(".sha256"), sha256(name) + "\n")
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise CheckpointFault(
                f"{path}: the checkpoint could not be written ({error}); training stops so that "
                "nothing is lost: free the disk or choose another run.folder, then resume"
            ) from error

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Checks the hash, then reads with weights_only. Raises `CheckpointFault`."""
        path = Path(path)
        if not is_whole(path):
            raise CheckpointFault(f"{path}: damaged (its hash differs); resume from an older one")
        fields: dict[str, Any] = torch.load(
            path, map_location=map_location or "cpu", weights_only=True
        )
        return fields

    def remove_checkpoint(self, path: Any) -> None:
        """The file and its hash."""
        Path(path).unlink(missing_ok=True)
        Path(path).with_suffix(".sha256").unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """The file's hash is the one written beside it."""
    side = path.with_suffix(".sha256")
    return path.is_file() and side.is_file() and side.read_text().strip() == sha256(path)


def newest(folder: Path) -> Path | None:
    """The newest whole checkpoint, None where there is none.

    Damaged ones are passed over with a warning. Where all are damaged it is an error: a long
    training must not begin anew unasked.
    """
    found = [(int(m[1]), p) for p in folder.glob("*.ckpt") if (m := NAME.fullmatch(p.name))]
    for _, path in sorted(found, reverse=True):
        if is_whole(path):
            return path
        log.warning("%s is damaged; trying the one before it", path)
    if found:
        raise CheckpointFault(
            f"{folder}: all {len(found)} checkpoints are damaged; copy a whole one there, or begin "
            "anew with --resume never"
        )
    return None


def check_fits(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """The tensors (any shape) of a checkpoint must be those of the network that goes on."""
    own = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    differing = sorted(n for n in {*own, *theirs} if own.get(n) != theirs.get(n))
    if differing:
        name = differing[0]
        raise CheckpointFault(
            f"the checkpoint is of another network: {len(differing)} tensors differ, e.g. {name} "
            f"({theirs.get(name, 'missing')} there, {own.get(name, 'missing')} here); give the "
            "config it was trained with, or begin anew with --resume never or in another run.folder"
        )


def step_of(path: Path) -> int:
    """The step in a checkpoint's name. Raises `CheckpointFault`."""
    match = NAME.fullmatch(path.name)
    if match is None:
        raise CheckpointFault(f"{path}: give a checkpoint named step=N.ckpt")
    return int(match[1])


class SaveEvery(pl.Callback):
    """Saves every n training steps and at the end; older files than the last two leave.

    What lies after the start belongs to a run that is not gone on with: it moves to `earlier/`, or
    the next `--resume auto` would take it for this run's.
    """

    def __init__(self, folder: Path, every: int, *, start: int = 0) -> None:
        self.folder, self.every, self.start = folder, every, start

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """One process tidies up; a killed one may have left half a file."""
        if not trainer.is_global_zero:
            return
        for half in self.folder.glob(".step=*"):
            half.unlink()
        later = [p for p in self.folder.glob("step=*.ckpt") if step_of(p) > self.start]
        if later:
            (self.folder / EARLIER).mkdir(exist_ok=True)
            log.warning(
                "%s: checkpoints of an earlier run move to %s/: %s",
                self.folder,
                EARLIER,
                ", ".join(sorted(p.name for p in later)),
            )
        for path in later:
            for one in (path.with_suffix(".sha256"), path):
                if one.is_file():
                    os.replace(one, self.folder / EARLIER / one.name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any
    ) -> None:
        """After the optimiser's step."""
        step = steps_done(trainer)
        if step % self.every == 0 or step == trainer.num_training_batches:
            self.save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """A training that stops here: its last state, the patience that ran out included."""
        if trainer.should_stop:
            self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """The state after the last step; older files leave."""
        # The end of a run is not the end of its data: with the flag set, Lightning would do nothing
        # when the finished run is resumed with more steps.
        progress = trainer.fit_loop.epoch_loop.batch_progress
        last, progress.is_last_batch = progress.is_last_batch, False
        trainer.save_checkpoint(self.folder / f"step={steps_done(trainer):08d}.ckpt")
        progress.is_last_batch = last
        if trainer.is_global_zero:
            for old in sorted(self.folder.glob("step=*.ckpt"))[:-KEEP]:
                trainer.strategy.remove_checkpoint(old)
