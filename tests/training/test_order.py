"""One order of samples for any number of loader workers and processes; overfit; early stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.dialogue.history import HistoryDropout
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.training import train_s1
from GPT_SoVITS.training.config import DataConfig
from GPT_SoVITS.training.prepared import PreparedData
from GPT_SoVITS.training.s1_data import BatchConfig, S1Dataset, train_loader
from GPT_SoVITS.training.samplers import StepPlan, epoch_batches
from tests.training.tiny import arguments

STEPS = 7
SMALL = BatchConfig(max_columns=2000, max_sequences=8)


def rows(data: Path, *, workers: int, world: int) -> list[list[tuple[int, ...]]]:
    """Per step, the ids of all ranks' rows without padding, in the batch's order."""
    dataset = S1Dataset(
        PreparedData(data).manifest("s1", "train"),
        LayoutConfig(),
        dropout=HistoryDropout(),
        seed=5,
    )
    steps: list[list[list[tuple[int, ...]]]] = []
    for rank in range(world):
        plan = StepPlan(seed=5, steps=STEPS, rank=rank, world=world)
        loader = train_loader(dataset, DataConfig(num_workers=workers), SMALL, plan)
        for step, batch in enumerate(loader):
            found = [
                tuple(ids[valid].tolist())
                for ids, valid, target in zip(batch.ids, batch.valid, batch.target)
                if (target >= 0).any()  # a row that fills an empty rank teaches nothing
            ]
            steps[step : step + 1] = [[*(steps[step] if step < len(steps) else []), found]]
    return [_interleaved(parts) for parts in steps]


def _interleaved(parts: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    """Rank r holds rows r, r + world, …"""
    whole = [()] * sum(map(len, parts))
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part
    return whole


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_the_order_depends_on_neither_workers_nor_ranks(
    workers: int, world: int, prepared_demo: Path
) -> None:
    assert rows(prepared_demo, workers=workers, world=world) == rows(
        prepared_demo, workers=0, world=1
    )


def test_buckets_pad_less_than_a_twentieth() -> None:
    """Lengths spread as those of natural turns."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(5.2, 0.6, 20000), 30, 1500).astype(int)
    batches = epoch_batches(lengths, budget=16384, max_batch=64, seed=0, epoch=0)
    padded = sum(len(b) * int(lengths[b].max()) for b in batches)
    assert 1 - lengths.sum() / padded < 0.05


def losses(run: Path) -> list[float]:
    lines = (run / "s1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [x["train/loss"] for x in map(json.loads, lines) if "train/loss" in x]


def test_overfit_mode_learns_its_batch_by_heart(prepared_demo: Path, tmp_path: Path) -> None:
    still = ["--model.dropout=0.0", "--optimizer.warmup_steps=1", "--optimizer.lr=0.02"]
    still += [f"--history_dropout.{k}={v}" for k, v in (("full", 1), ("text", 0))]
    still += [f"--history_dropout.{k}=0" for k in ("speech", "none")]
    command = [*arguments("s1", prepared_demo, tmp_path, 30), *still]
    train_s1.main([*command, "--trainer.overfit=1", "--trainer.save_every=30"])
    found = losses(tmp_path)
    assert found[-1] < 0.8 * found[0]


def test_training_stops_when_patience_runs_out_and_stays_stopped(
    prepared_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    command = arguments("s1", prepared_demo, tmp_path, 40)
    command = [x for x in command if not x.startswith("--trainer.validate_every")]
    frozen = ["--optimizer.lr=1e-12", "--trainer.validate_every=2", "--trainer.patience=2"]
    first = train_s1.main([*command, *frozen]).read_bytes()
    assert "stopped at step 6" in caplog.text
    assert len(losses(tmp_path)) == 6
    assert train_s1.main([*command, *frozen]).read_bytes() == first
    assert len(losses(tmp_path)) == 6


def test_validation_says_loss_and_top3(prepared_demo: Path, tmp_path: Path) -> None:
    train_s1.main(arguments("s1", prepared_demo, tmp_path, 2))
    lines = (tmp_path / "s1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = [x for x in map(json.loads, lines) if "valid/loss" in x]
    assert found and all(0 <= x["valid/top1"] <= x["valid/top3"] + 1e-9 <= 1 + 1e-9 for x in found)
