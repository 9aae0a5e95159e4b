"""`trainer.accumulate`: a batch in parts gives the step of the batch in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from GPT_SoVITS.checkpoints.container import read_safetensors
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.accumulate import parts_of
from GPT_SoVITS.training.loaders import Labelled
from tests.training.tiny import arguments
from tests.training.without_dropout import unchanged

MAIN = {"s1": train_s1.main, "s2": train_s2.main}
STILL = {
    "s1": ["--model.dropout=0.0", "--optimizer.label_smoothing=0.1", "--optimizer.dpo=true"],
    # With a large eps Adam moves by the gradient, not by its sign: one that is rounding alone
    # stays one.
    "s2": ["--optimizer.lr=0.0001", "--optimizer.eps=1.0", "--batch.max_turns=5"],
}


@pytest.mark.parametrize(("rows", "n", "sizes"), [(5, 2, [3, 2]), (2, 4, [1, 1]), (3, 1, [3])])
def test_parts_hold_every_row_once_and_none_is_empty(rows: int, n: int, sizes: list[int]) -> None:
    batch = Labelled("anna", (torch.arange(rows), torch.arange(rows) + 10, None))
    parts = parts_of(batch, rows, n)
    assert [len(part.batch[0]) for part in parts] == sizes
    assert sorted(torch.cat([part.batch[0] for part in parts]).tolist()) == list(range(rows))
    for part in parts:
        assert part.label == "anna" and part.batch[2] is None
        assert torch.equal(part.batch[1], part.batch[0] + 10)


def losses(run: Path, stage: str) -> list[dict[str, float]]:
    lines = (run / stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [{k: v for k, v in json.loads(line).items() if "train" in k} for line in lines]


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_batch_in_parts_gives_the_step_of_the_whole(
    stage: str, prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Dropout, "forward", unchanged)  # masks of a part are not the whole's
    weights: list[Any] = []
    for parts in (1, 3):
        command = [*arguments(stage, prepared_demo, tmp_path / str(parts), 4), *STILL[stage]]
        path = MAIN[stage]([*command, f"--trainer.accumulate={parts}"])
        weights.append(read_safetensors(path)[0])
    for name, value in weights[0].items():
        if not name.endswith("qkv.bias"):  # a key's bias feels rounding alone; Adam makes it large
            assert torch.allclose(value, weights[1][name], atol=1e-5), name
    whole, cut = losses(tmp_path / "1", stage), losses(tmp_path / "3", stage)
    assert len(whole) >= 4
    for one, other in zip(whole, cut, strict=True):
        assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_resumed_run_in_parts_is_the_uninterrupted_one(
    stage: str, prepared_demo: Path, tmp_path: Path
) -> None:
    cosine = ["--optimizer.warmup_steps=100", "--trainer.accumulate=2"]
    whole = MAIN[stage]([*arguments(stage, prepared_demo, tmp_path / "w", 5), *cosine])
    MAIN[stage]([*arguments(stage, prepared_demo, tmp_path / "cut", 3), *cosine])
    cut = MAIN[stage]([*arguments(stage, prepared_demo, tmp_path / "cut", 5), *cosine])
    assert cut.read_bytes() == whole.read_bytes()


def test_a_part_takes_the_memory_of_a_part(prepared_demo: Path, tmp_path: Path) -> None:
    """The most rows that any forward sees."""
    seen: list[int] = []
    remember = nn.modules.module.register_module_forward_hook(
        lambda module, given, out: (
            seen.append(given[0].ids.shape[0]) if type(module).__name__ == "SemanticGPT" else None
        )
    )
    try:
        command = [*arguments("s1", prepared_demo, tmp_path, 3), "--trainer.overfit=1"]
        train_s1.main([*command, "--batch.max_sequences=8", "--trainer.max_valid_batches=0"])
        most = max(seen)
        seen.clear()
        again = [*arguments("s1", prepared_demo, tmp_path / "b", 3), "--trainer.overfit=1"]
        again += ["--batch.max_sequences=8", "--trainer.max_valid_batches=0"]
        train_s1.main([*again, "--trainer.accumulate=4"])
    finally:
        remember.remove()
    assert most > 2 and max(seen) == -(-most // 4)
