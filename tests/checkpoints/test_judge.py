"""A file is judged without torch exactly as with it: names, shapes, config, values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.import_ import import_file
from GPT_SoVITS.checkpoints.judge import TABLES, judge_file
from GPT_SoVITS.checkpoints.keymaps import s1_shapes
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from tests.checkpoints.test_legacy import save

SIZES = {"hidden_dim": 16, "n_head": 2, "n_layer": 2, "vocab_size": 33, "phoneme_vocab_size": 512}


def exported_s1(dtype: torch.dtype = torch.float16) -> dict[str, Any]:
    """The content of a published s1 file, small."""
    model = {"hidden_dim": 16, "embedding_dim": 16, "head": 2, "n_layer": 2, "dropout": 0}
    model |= {"vocab_size": 33, "phoneme_vocab_size": 512, "EOS": 32}
    state = {f"model.{name}": torch.randn(s).to(dtype) for name, s in s1_shapes(SIZES).items()}
    return {"weight": state, "config": {"model": model}, "info": "GPT-e1"}


@pytest.mark.parametrize("layers", [1, 24])
def test_the_table_of_s1_is_that_of_the_network(layers: int) -> None:
    config = SIZES | {"n_layer": layers}
    built = expected_shapes("s1", config, path="s1")
    assert renamed(built, reverse(TABLES["s1"]), path="s1") == s1_shapes(config)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_an_outline_says_what_torch_reads(tmp_path: Path, dtype: torch.dtype) -> None:
    path = save(tmp_path / "s1.ckpt", exported_s1(dtype), b"01")
    judged, imported = judge_file(path), import_file(path)
    assert judged.config == imported.header.config
    assert judged.found == imported.detected and judged.form == "exported"
    shapes = {name: tuple(value.shape) for name, value in imported.tensors.items()}
    assert {name: one.shape for name, one in judged.ours.items()} == shapes


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_values_that_are_not_finite_are_found_in_every_type(
    tmp_path: Path, dtype: torch.dtype, value: str
) -> None:
    content = exported_s1(dtype)
    content["weight"]["model.bert_proj.weight"][3, 1] = float(value)
    path = save(tmp_path / "bad.ckpt", content)
    with pytest.raises(CheckpointError, match="bad.ckpt: bert_proj.weight holds values"):
        judge_file(path)


def test_a_view_is_judged_by_its_own_values(tmp_path: Path) -> None:
    content = exported_s1()
    whole = torch.full((40,), float("nan"), dtype=torch.float16)
    whole[16:32] = 1
    content["weight"]["model.bert_proj.bias"] = whole[16:32]
    judge_file(save(tmp_path / "good.ckpt", content))
    content["weight"]["model.bert_proj.bias"] = whole[15:31]
    with pytest.raises(CheckpointError, match="not finite"):
        judge_file(save(tmp_path / "bad.ckpt", content))


def test_a_view_larger_than_its_storage_is_refused(tmp_path: Path) -> None:
    content = exported_s1()
    content["weight"]["model.bert_proj.weight"] = torch.zeros(1).expand(16, 1024)
    with pytest.raises(CheckpointError, match="exceeds its storage"):
        judge_file(save(tmp_path / "bad.ckpt", content))


def test_lightning_files_are_judged_too(tmp_path: Path) -> None:
    content = exported_s1()
    lightning = {"state_dict": content["weight"], "epoch": 3, "loops": [(1, 2.5), True, None]}
    lightning["hyper_parameters"] = {"config": content["config"], "folder": Path("/home/a")}
    judged = judge_file(save(tmp_path / "last.ckpt", lightning))
    assert judged.form == "lightning" and judged.config["n_head"] == 2
    assert judged.stored == content["config"]
