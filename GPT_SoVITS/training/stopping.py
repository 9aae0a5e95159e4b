"""Ctrl-C and SIGTERM end a training after the step under way, with a checkpoint of that step.

Nothing learnt is lost, and the same command goes on from there. Where a validation is under way, or
due after that step, it is ended first: resumed, it would not come again. Who cannot wait asks
twice: the second signal ends the process at once, and the run goes on from its last checkpoint.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from GPT_SoVITS.training.checkpointing import SaveEvery
from GPT_SoVITS.training.command import TrainingStopped
from GPT_SoVITS.training.progress import steps_done

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopWhenAsked(pl.Callback):
    """Saves through `saver` and raises `TrainingStopped` where any rank was asked to stop."""

    def __init__(self, saver: SaveEvery) -> None:
        self.saver = saver
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def setup(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """What signals mean outside: Lightning has not put its own handlers in yet."""
        self._before = {one: signal.getsignal(one) for one in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Listen; only a process's main thread may."""
        if threading.current_thread() is threading.main_thread():
            for one in SIGNALS:
                signal.signal(one, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any
    ) -> None:
        """After the optimiser's step, and whatever else happens there. Raises `TrainingStopped`."""
        step, every = steps_done(trainer), trainer.val_check_batch
        validates = every is not None and step % every == 0
        if not validates and step != trainer.num_training_batches:
            self._stop_if_asked(trainer)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """After a validation, if that was not the end. Raises `TrainingStopped`."""
        if steps_done(trainer) != trainer.num_training_batches:
            self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        asked = self.asked
        if trainer.world_size > 1:
            asked = trainer.strategy.reduce_boolean_decision(asked, all=False)
        if asked:
            self.saver.save(trainer)
            raise TrainingStopped(f"stopped at step {steps_done(trainer)}")

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Signals mean what they meant before."""
        self._restore()

    def _restore(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for one, handler in self._before.items():
                signal.signal(one, handler)
