"""Every config key of both trainings is live: each is changed, and the training differs."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from GPT_SoVITS.checkpoints.container import read_safetensors
from GPT_SoVITS.dialogue.layout import KEEP
from GPT_SoVITS.training import train_s1, train_s2
from tests.training.tiny import arguments

SCRIPTS: dict[str, Any] = {"s1": train_s1, "s2": train_s2}
# What makes no difference to the weights, and where it is shown instead.
ELSEWHERE = {
    "data.folder": "every training",
    "data.bert": "tests of prepare_datasets: test_bert_features",
    "data.num_workers": "order of batches: test_order",
    "run.folder": "every training",
    "trainer.max_steps": "every training",
    "trainer.save_every": "test_resume",
    "trainer.log_every": "test_resume reads metrics",
    "trainer.validate_every": "test_resume reads metrics",
    "trainer.max_valid_batches": "test_resume reads metrics",
    "trainer.accelerator": "the machine",
    "trainer.threads": "test_comfort",
    "trainer.accumulate": "test_accumulate: the same training",
    "trainer.devices": "test_ranks",
    "trainer.num_nodes": "test_ranks",
    "trainer.strategy": "test_comfort: fsdp needs GPUs; DDP in test_ranks",
    "trainer.compile": "test_comfort: the same training",
    "trainer.patience": "test_order",
    "trainer.overfit": "test_order",
    "run.init_from": "test_warm_start",
    "model.phoneme_vocab_size": "taken from the corpus",
    "model.n_symbols": "taken from the corpus",
    "model.ssl_dim": "taken from the corpus",
    "model.semantic_dim": "taken from the corpus",
    "model.n_codes": "taken from the corpus",
    "model.frames_per_code": "taken from the corpus",
    "model.version": "goes into the file's header",
    "model.speaker_vector_dim": "refused: prepared data holds no vectors",
    "model.freeze_quantizer": "needs features in the batch: tests of s2_vits",
    "model.generator": "tests of s2_vits: test_generators",
    "model.source_filter_width": "tests of s2_vits: test_source_filter",
    "model.source_filter_layers": "tests of s2_vits: test_source_filter",
    "model.reference_bins": "sizes of a network: tests of s2_vits",
    "model.upsample_rates": "sizes of a network: tests of s2_vits",
    "model.upsample_kernel_sizes": "sizes of a network: tests of s2_vits",
    "batch.cache_seconds": "memory alone",
    "optimizer.first_lr": "test_published_step",
    "optimizer.dpo": "test_published_step",
    "optimizer.loss_rule": "test_published_step",
    "optimizer.reduction": "test_published_step",
    "optimizer.lr_ratios": "test_published_step",
}


def only(kept: str) -> str:
    """One share of history dropout 1, the others 0: they have to sum to 1."""
    others = [name for name in KEEP if name != kept]
    return " ".join(["1.0", *(f"--history_dropout.{name}=0.0" for name in others)])


# The changed value, and further arguments without which it could not matter.
CHANGES: dict[str, dict[str, str]] = {
    "s1": {
        "run.seed": "5",
        "model.hidden_dim": "32",
        "model.n_head": "4",
        "model.n_layer": "3",
        "model.vocab_size": "1026",
        "model.dropout": "0.5",
        "model.embedding_dropout": "0.5",
        "model.token_dropout": "0.5",
        "model.bert_dim": "8",
        "model.use_roles": "false",
        "model.max_turn_distance": "3",
        "layout.order": "grouped",
        "layout.mask": "causal",
        "layout.loss_on": "all_turns",
        "layout.history_turns": "1",
        "layout.history_tokens": "20 --layout.history_mode=growing",
        "layout.history_mode": "growing",
        "history_dropout.full": only("full"),
        "history_dropout.text": only("text"),
        "history_dropout.speech": only("speech"),
        "history_dropout.none": only("none"),
        "batch.max_columns": "300",
        "batch.max_sequences": "2",
        "optimizer.name": "scaled_adam",
        "optimizer.lr": "0.01",
        "optimizer.weight_decay": "0.5",
        "optimizer.betas": "[0.5,0.6]",
        "optimizer.warmup_steps": "2",
        "optimizer.label_smoothing": "0.2",
        "trainer.ema": "0.5",
        "trainer.gradient_clip": "0.01",
        "trainer.precision": "bf16-mixed",
    },
    "s2": {
        "run.seed": "5",
        "model.inter_channels": "32",
        "model.hidden_channels": "32",
        "model.filter_channels": "32",
        "model.n_heads": "4",
        "model.n_layers": "4",
        "model.kernel_size": "5",
        "model.p_dropout": "0.5",
        "model.mrte_channels": "32",
        "model.mrte_heads": "2",
        "model.posterior_layers": "2",
        "model.flow_layers": "2",
        "model.n_flows": "2",
        "model.gin_channels": "32",
        "model.reference_hidden": "16",
        "model.upsample_initial_channel": "64",
        "model.resblock_kernel_sizes": "[5]",
        "model.resblock_dilations": "[3]",
        "model.segment_frames": "6",
        "model.style": "off",
        "model.text": "off",
        "model.history_turns": "1",
        "batch.max_frames": "150",
        "batch.max_turns": "1",
        "batch.reference": "self",
        "batch.max_reference_frames": "20",
        "optimizer.lr": "0.01",
        "optimizer.betas": "[0.5,0.6]",
        "optimizer.eps": "0.1",
        "optimizer.weight_decay": "0.5",
        "optimizer.warmup_steps": "10",
        "optimizer.lr_decay": "0.5 --optimizer.decay_every=1",
        "optimizer.decay_every": "1",
        "optimizer.text_lr_ratio": "0.1",
        "optimizer.mel_weight": "1.0",
        "optimizer.kl_weight": "5.0",
        "optimizer.discriminator_width": "0.0625",
        "optimizer.periods": "[2]",
        "optimizer.adversarial_from": "2",
        "trainer.ema": "0.5",
        "trainer.precision": "bf16-mixed",
    },
}
CASES = [(stage, key) for stage, changes in CHANGES.items() for key in changes]


def keys(stage: str) -> set[str]:
    groups = SCRIPTS[stage].GROUPS.items()
    return {f"{group}.{f.name}" for group, kind in groups for f in dataclasses.fields(kind)}


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_every_key_is_shown_here_or_elsewhere(stage: str) -> None:
    lora = {key for key in keys(stage) if key.startswith("lora.")}  # test_lora_keys
    assert keys(stage) - lora - set(ELSEWHERE) == set(CHANGES[stage]) - set(ELSEWHERE)


def weights(stage: str, data: Path, run: Path, *more: str) -> str:
    # With one layer what a history column sees cannot matter: nothing reads its output.
    steady = {"s1": ["--model.n_layer=2"], "s2": ["--optimizer.lr_decay=0.9"]}[stage]
    path = SCRIPTS[stage].main([*arguments(stage, data, run, 4), *steady, *more])
    digest = hashlib.sha256()  # of the tensors alone: the header repeats the config
    for name, tensor in read_safetensors(path)[0].items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def unchanged(prepared_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {s: weights(s, prepared_demo, tmp_path_factory.mktemp(s)) for s in SCRIPTS}


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "key"), CASES, ids=[f"{s}-{k}" for s, k in CASES])
def test_a_changed_key_changes_the_training(
    stage: str, key: str, unchanged: dict[str, str], prepared_demo: Path, tmp_path: Path
) -> None:
    changed = weights(stage, prepared_demo, tmp_path, *f"--{key}={CHANGES[stage][key]}".split())
    assert changed != unchanged[stage]
