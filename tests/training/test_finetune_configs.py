"""The fine-tuning configs hold the published hyper-parameters, and each rate its parameters."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.keymaps_s2 import S2_NAMES
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.fit import parse
from GPT_SoVITS.training.s2_module import S2Module
from GPT_SoVITS.training.scaled_adam import ScaledAdam
from tests.training.test_warm_start import S2

ROOT = Path(__file__).resolve().parents[2]


def options_of(stage: str) -> Any:
    groups = {"s1": train_s1, "s2": train_s2}[stage].GROUPS
    config = ROOT / "configs" / stage / "finetune_gpt_sovits.yaml"
    return parse("x", groups, ["--config", str(config)])


def test_stage_1_is_trained_as_published() -> None:
    options = options_of("s1")
    rule = options.optimizer
    assert (rule.name, rule.first_lr, rule.lr, rule.betas) == (
        "scaled_adam",
        0.01,
        0.002,
        (0.9, 0.95),
    )
    assert (rule.loss_rule, rule.reduction, rule.dpo) == ("newer", "sum", False)
    assert options.batch.max_sequences == 8 * 4  # batches of 8, a step every 4
    assert options.trainer.accumulate == 4
    assert not options.trainer.gradient_clip
    assert (options.model.dropout, options.model.embedding_dropout) == (0.1, 0.0)
    group = ScaledAdam([torch.nn.Parameter(torch.ones(2, 2))], lr=rule.lr).param_groups[0]
    assert (group["clipping_scale"], group["clipping_period"]) == (2.0, 1000)


def test_stage_2_is_trained_as_published() -> None:
    options = options_of("s2")
    rule = options.optimizer
    assert (rule.lr, rule.betas, rule.eps, rule.weight_decay) == (1e-4, (0.8, 0.99), 1e-9, 0.01)
    assert (rule.lr_decay, rule.text_lr_ratio, rule.warmup_steps) == (0.999875, 0.4, 0)
    assert (rule.mel_weight, rule.kl_weight, rule.discriminator_width) == (45.0, 1.0, 1.0)
    assert options.model.segment_frames * 640 == 20480 and options.model.freeze_quantizer
    assert options.batch.reference == "self"


@pytest.mark.parametrize("ratio", [0.4, 0.2])
def test_the_text_side_of_stage_2_learns_at_its_own_rate(ratio: float) -> None:
    """Published groups: text_embedding, encoder_text, mrte at the ratio, the rest at the rate."""
    rule = options_of("s2").optimizer
    module = S2Module(S2, rule if ratio == 0.4 else _with(rule, text_lr_ratio=ratio), seed=0)
    generator, judges = module.configure_optimizers()
    place = {id(p): group["lr"] for group in generator.param_groups for p in group["params"]}
    shapes = {name: id(p) for name, p in ConversationalVITS.named_parameters(module.model)}
    published = renamed(shapes, reverse(S2_NAMES), path="x")
    slow = ("enc_p.text_embedding.", "enc_p.encoder_text.", "enc_p.mrte.")
    for name, parameter in published.items():
        if name.startswith("ssl_proj."):
            assert parameter not in place  # frozen with the quantizer
            continue
        expected = 1e-4 * ratio if name.startswith(slow) else 1e-4
        assert generator_rate(place, parameter, rule.lr) == pytest.approx(expected), name
    assert [group["ratio"] for group in judges.param_groups] == [1.0]


def generator_rate(place: dict[int, float], parameter: int, lr: float) -> float:
    """A group's rate: its ratio is multiplied by the schedule's rate at every step."""
    return place[parameter] * lr


def _with(rule: Any, **values: Any) -> Any:
    return dataclasses.replace(rule, **values)
