"""Ctrl-C and SIGTERM end a training after the step under way, with a checkpoint of that step.

Nothing learnt is lost, and the same command goes on from there. Who cannot wait asks twice: the
second signal does what it always did, and the run goes on from its last regular checkpoint.
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

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Listen; only a process's main thread may."""
        if threading.current_thread() is threading.main_thread():
            self._before = {one: signal.signal(one, self._hear) for one in SIGNALS}

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, *rest: Any
    ) -> None:
        """After the optimiser's step, and whatever else happens there. Raises `TrainingStopped`."""
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
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._before = {}
