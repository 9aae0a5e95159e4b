"""What a training shows and writes while it runs: one progress line, and metrics.jsonl."""

from __future__ import annotations

import json
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar

from GPT_SoVITS.atomic import write_text


def steps_done(trainer: pl.Trainer) -> int:
    """Training batches so far (Lightning's own counter counts every optimiser)."""
    return trainer.fit_loop.epoch_loop.batch_progress.total.ready


def quiet_lightning() -> None:
    """No adverts and no notes on Lightning's own internals; its errors still come through."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning.utilities._pytree")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*`weights_only` was not set.*")
    warnings.filterwarnings(
        "ignore", message=".*your dataloader is not resumable.*"
    )  # ours starts there


class ProgressLine(TQDMProgressBar):
    """`s1  41%|████      | 205/500 [01:12<1:44, 2.8step/s, loss=3.2, padding=0, tokens/s=9e3]`."""

    def __init__(self, stage: str) -> None:
        super().__init__(refresh_rate=10)
        self.stage = stage
        self.unit = "frames/s" if stage.startswith("s2") else "tokens/s"
        self.seen, self.began = 0.0, 0.0

    def on_train_batch_start(self, *arguments: Any) -> None:
        """The first batch starts the clock."""
        super().on_train_batch_start(*arguments)
        self.began = self.began or time.perf_counter()

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Counts what the batch held, padding left out; shown before the bar is drawn anew."""
        self.seen += content(arguments[3])
        super().on_train_batch_end(*arguments)

    def init_train_tqdm(self) -> Any:
        """The bar, in steps."""
        bar = super().init_train_tqdm()
        bar.unit = "step"
        return bar

    def on_train_start(self, trainer: pl.Trainer, *rest: Any) -> None:
        """A resumed training starts within its epoch, whose hook Lightning then passes over."""
        super().on_train_start(trainer, *rest)
        self._begin(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, *rest: Any) -> None:
        """A training is one Lightning epoch of `max_steps` batches; the stage is what matters."""
        super().on_train_epoch_start(trainer, *rest)
        self._begin(trainer)

    def _begin(self, trainer: pl.Trainer) -> None:
        bar, done = self.train_progress_bar, steps_done(trainer)
        total = self.total_train_batches
        bar.reset(total if total != float("inf") else None)
        bar.initial = bar.n = done  # its rate is that of this run
        bar.set_description(self.stage)

    def get_metrics(self, *arguments: Any) -> dict[str, Any]:
        """Without the logger's version number."""
        shown = dict(super().get_metrics(*arguments))
        shown.pop("v_num", None)
        if self.seen:
            shown[self.unit] = f"{self.seen / (time.perf_counter() - self.began):.0f}"
        return shown


def content(batch: Any) -> float:
    """Columns (s1) or frames (s2) of a batch that are no padding."""
    batch = getattr(batch, "batch", batch)
    return float(batch.valid.sum() if hasattr(batch, "valid") else batch.spectrogram_lengths.sum())


class MetricsFile(pl.Callback):
    """One JSON object per line: {"step": 10, "train/loss": 6.1, ...}.

    A fresh run starts the file anew; a resumed one keeps the steps up to its start, so that the
    curve of an interrupted run is the curve of an uninterrupted one.
    """

    def __init__(self, path: Path, every: int, *, start: int) -> None:
        self.path, self.every, self.start = path, every, start

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The steps after the start are about to be done again; one rank writes."""
        if not trainer.is_global_zero:
            return
        kept = [line for line in _lines(self.path) if json.loads(line)["step"] <= self.start]
        write_text(self.path, "".join(line + "\n" for line in kept))

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        """Training values."""
        step = steps_done(trainer)
        if step % self.every == 0 or step == 1:
            self._write(trainer, step, "train/")

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Validation values."""
        if not trainer.sanity_checking:
            self._write(trainer, steps_done(trainer), "valid/")

    def _write(self, trainer: pl.Trainer, step: int, prefix: str) -> None:
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith(prefix)}
        if values and trainer.is_global_zero:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")


def _lines(path: Path) -> list[str]:
    """Whole lines of a file that a killed run may have left with half a line at its end."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()
