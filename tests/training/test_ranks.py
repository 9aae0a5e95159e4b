"""Two processes under torchrun do the steps of one: same batches, same losses, same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from GPT_SoVITS.checkpoints.container import read_safetensors
from GPT_SoVITS.s2_vits.quantizer import Quantizer
from GPT_SoVITS.training.samplers import StepPlan, StepSampler
from tests.training.tiny import arguments

LENGTHS = np.random.default_rng(0).integers(20, 200, size=61)


def rows(world: int, rank: int) -> list[list[tuple[int, int]]]:
    plan = StepPlan(seed=3, steps=50, rank=rank, world=world)
    return list(StepSampler(lambda epoch: LENGTHS, plan, budget=700, max_batch=6))


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_share_the_batches_of_one_rank(world: int) -> None:
    parts = [rows(world, rank) for rank in range(world)]
    filled = 0
    for step, whole in enumerate(rows(1, 0)):
        own = [[key for key in part[step] if key[1] >= 0] for part in parts]
        assert sorted(sum(own, [])) == sorted(whole)
        assert max(map(len, own)) - min(map(len, own)) <= 1
        for part in parts:
            filled += any(index < 0 for _, index in part[step])
            assert part[step], "no rank may be without a row: its gradients are waited for"
    assert filled or world == 2


MORE = {
    "s1": ["--model.dropout=0.0"],
    "s2": [
        "--optimizer.lr=0.00001",  # with a large eps Adam moves by the gradient, not by its sign:
        "--optimizer.eps=1.0",  # a gradient that is rounding alone stays one
        "--batch.max_turns=4",
        "--model.style=off",  # history's spectrograms feel how far their batch is padded
        "--model.text=off",
    ],
}


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_two_ranks_equal_one_with_the_doubled_batch(
    stage: str, parts: int, prepared_demo: Path, repository: Path, tmp_path: Path
) -> None:
    launch = {1: [], 2: ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]}
    states, losses = [], []
    for world, launcher in launch.items():
        run = tmp_path / str(world)
        command = [sys.executable, *launcher, "-m", "tests.training.without_dropout", stage]
        command += [
            f"--trainer.devices={world}",
            f"--trainer.accumulate={parts if world > 1 else 1}",
        ]
        command += [*arguments(stage, prepared_demo, run, 4), *MORE[stage]]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr[-3000:]
        lines = (run / stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        losses.append([x["train/loss"] for x in map(json.loads, lines) if "train/loss" in x])
        states.append(read_safetensors(run / "talker" / f"{stage}.safetensors")[0])
    assert len(losses[0]) == 4
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, one in states[0].items():
        if not name.endswith("qkv.bias"):  # a key's bias feels rounding alone; Adam makes it large
            assert torch.allclose(one, states[1][name], atol=2e-6), name


def _quantize(rank: int, world: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=world)
    quantizer, data = _started()
    quantizer(data[rank::world], update=True)
    torch.save(quantizer.state_dict(), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def _started() -> tuple[Quantizer, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    quantizer = Quantizer(4, 3)
    quantizer.fit(torch.randn(200, 3, generator=draw))
    return quantizer, torch.randn(4, 3, 25, generator=draw)


@pytest.mark.slow
def test_quantizer_statistics_are_those_of_all_ranks(tmp_path: Path) -> None:
    port = 29000 + os.getpid() % 2000
    mp.spawn(_quantize, args=(2, port, str(tmp_path)), nprocs=2)
    quantizer, data = _started()
    quantizer(data, update=True)
    for rank in range(2):
        state = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, value in quantizer.state_dict().items():
            assert torch.allclose(state[name], value, atol=1e-6), name
