"""Training from imported weights: exact reports, grown tables, and a validation loss that falls."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.checkpoints import ModelHeader, load_s1, load_s2, save_model
from GPT_SoVITS.checkpoints.commands import import_checkpoint
from GPT_SoVITS.checkpoints.export import export_file
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.text import SymbolTable
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.warm_start import Start, WarmStartError, open_start, warm_start

ROOT = Path(__file__).resolve().parents[2]
S1 = S1Config(hidden_dim=32, n_head=2, n_layer=2)
S2 = S2Config(
    inter_channels=16,
    hidden_channels=16,
    filter_channels=32,
    n_layers=2,
    mrte_channels=16,
    gin_channels=16,
    posterior_layers=1,
    flow_layers=1,
    upsample_initial_channel=32,
    reference_hidden=16,
)


def start_of(model: torch.nn.Module, *, tags: tuple[str, ...] = (), symbols: str = "v2") -> Start:
    header = ModelHeader(kind="s1", config={}, symbols=symbols, tags=tags)
    return Start(Path("x"), header, None, model.state_dict())


def test_new_symbols_and_tags_get_rows_and_old_rows_stay() -> None:
    torch.manual_seed(0)
    old = SemanticGPT(dataclasses.replace(S1, phoneme_vocab_size=733))
    new = SemanticGPT(dataclasses.replace(S1, phoneme_vocab_size=734, use_roles=True))
    table = SymbolTable("v2", tags=("<sigh>", "<laugh>"))
    report = warm_start(new, start_of(old, tags=("<laugh>",)), symbols=table)
    before, after = old.embedding.text.weight, new.embedding.text.weight
    assert torch.equal(before[:732], after[:732])
    assert torch.equal(before[732], after[733])  # <laugh> moved with its name
    assert report.grown == {"embedding.text.weight": "733 of 733 rows kept, 734 now"}
    assert report.new == ["embedding.role.weight"]
    assert not report.dropped
    others = [name for name in old.state_dict() if name != "embedding.text.weight"]
    assert sorted(report.copied) == sorted(others)


def test_v1_rows_go_to_the_same_phonemes_of_v2_and_spare_rows_stay_in_v1() -> None:
    old = SemanticGPT(dataclasses.replace(S1, phoneme_vocab_size=512))
    new = SemanticGPT(S1)
    warm_start(new, start_of(old, symbols="v1"), symbols=SymbolTable("v2"))
    assert torch.equal(old.embedding.text.weight[:322], new.embedding.text.weight[:322])
    same = SemanticGPT(dataclasses.replace(S1, phoneme_vocab_size=512))
    report = warm_start(same, start_of(old, symbols="v1"), symbols=SymbolTable("v1"))
    assert torch.equal(old.embedding.text.weight, same.embedding.text.weight)
    assert not report.grown and not report.new and not report.dropped


def test_what_does_not_fit_is_reported_with_its_reason() -> None:
    old = SemanticGPT(dataclasses.replace(S1, max_turn_distance=3))
    new = SemanticGPT(dataclasses.replace(S1, bert_dim=8))
    report = warm_start(new, start_of(old), symbols=SymbolTable("v2"))
    assert report.dropped["turn_bias"] == "not in this model"
    assert "of another shape" in report.dropped["embedding.bert_projection.weight"]
    assert report.new == ["embedding.bert_projection.weight"]
    assert any("dropped turn_bias" in line for line in report.lines())


def test_an_absent_model_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(WarmStartError, match="import-checkpoint"):
        open_start(str(tmp_path / "none"), "s1")


def imported(model: torch.nn.Module, config, kind: str, folder: Path) -> Path:
    """The model as a published file, imported again."""
    ending = {"s1": "ckpt", "s2": "pth"}[kind]
    own = save_model(folder / f"own.{kind}", model, kind=kind, config=config)
    published = export_file(own, folder / f"published.{ending}")
    assert import_checkpoint([str(published), "--output", str(folder / "base")]) == 0
    return folder / "base"


def tuned(stage: str, base: Path, data: Path, run: Path, *more: str) -> list[float]:
    """Train by the shipped config; the validation losses in order."""
    config = ROOT / "configs" / stage / "finetune_gpt_sovits.yaml"
    arguments = ["--config", str(config), "--run.init_from", str(base), "--run.folder", str(run)]
    arguments += ["--data.folder", str(data), "--trainer.accelerator", "cpu", *more]
    {"s1": train_s1, "s2": train_s2}[stage].main(arguments)
    lines = (run / stage / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [x["valid/loss"] for x in map(json.loads, lines) if "valid/loss" in x]


def test_fine_tuning_s1_from_an_imported_model_lowers_its_validation_loss(
    prepared_demo: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    base = imported(SemanticGPT(S1), S1, "s1", tmp_path)
    steps = ["--trainer.max_steps=12", "--trainer.validate_every=4"]
    losses = tuned("s1", base, prepared_demo, tmp_path / "run", *steps)
    assert len(losses) == 3 and losses[-1] < losses[0] - 0.03
    _, header = load_s1(tmp_path / "run" / "talker" / "s1.safetensors")
    assert "imported" in header.source and header.licence


@pytest.mark.slow
def test_fine_tuning_s2_from_an_imported_model_lowers_its_validation_loss(
    prepared_demo: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    base = imported(ConversationalVITS(S2), S2, "s2", tmp_path)
    more = ["--trainer.max_steps=30", "--trainer.validate_every=10", "--batch.max_turns=4"]
    more += ["--optimizer.discriminator_width=0.0625", "--optimizer.lr=0.001"]
    losses = tuned("s2", base, prepared_demo, tmp_path / "run", *more)
    assert len(losses) == 3 and losses[-1] < losses[0]
    model, header = load_s2(tmp_path / "run" / "talker" / "s2.safetensors")
    assert model.config.style == "on" and "imported" in header.source
