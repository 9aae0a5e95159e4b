"""Adapters on tiny networks: off is the base, merged is on, and a file is small and particular."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from GPT_SoVITS.adapters.file import (
    Adapter,
    AdapterError,
    AdapterHeader,
    fingerprint,
    load_adapter,
    save_adapter,
)
from GPT_SoVITS.adapters.lora import activate, extract, inject, matrices
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.adapters.options import S1LoraOptions, S2LoraOptions, target_pattern
from GPT_SoVITS.adapters.rows import train_rows
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training.s1_module import S1Module, S1OptimizerConfig

S1 = S1Config(hidden_dim=16, n_head=2, n_layer=2, phoneme_vocab_size=40, dropout=0.0)
S2 = S2Config(
    n_symbols=40,
    ssl_dim=8,
    semantic_dim=8,
    n_codes=16,
    inter_channels=16,
    hidden_channels=16,
    filter_channels=16,
    n_layers=2,
    mrte_channels=16,
    posterior_layers=1,
    flow_layers=1,
    gin_channels=16,
    reference_hidden=8,
    upsample_initial_channel=32,
    resblock_kernel_sizes=(3,),
    resblock_dilations=(1,),
)


def columns(n: int = 12) -> ColumnBatch:
    ids = torch.arange(n)[None] % 40
    text = torch.arange(n)[None] < 5
    zero = torch.zeros_like(ids)
    return ColumnBatch(
        ids=ids,
        is_text=text,
        position=ids,
        segment=(~text).long(),
        turn=zero,
        role=zero,
        hidden=text & False,
        target=zero,
        valid=text | True,
        bert=None,
        response_start=torch.zeros(1, 4, dtype=torch.long),
    )


def logits(model: SemanticGPT) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(columns())


def sound(model: ConversationalVITS) -> torch.Tensor:
    reference = torch.rand(1, 1025, 20, generator=torch.Generator().manual_seed(1))
    draw = torch.Generator().manual_seed(0)
    return model.eval().decode(
        torch.tensor([[1, 5, 3, 7]]), torch.tensor([[3, 9, 4]]), [reference], generator=draw
    )


def trained(base: nn.Module, options: S1LoraOptions | S2LoraOptions, kind: str, name: str) -> tuple:
    """(model with peft inside, its adapter) with B no longer zero."""
    model = copy.deepcopy(base)
    inject(model, options, kind=kind, names=["other", name])
    with torch.no_grad():
        for _, matrix in matrices(model):
            matrix.add_(
                torch.randn(matrix.shape, generator=torch.Generator().manual_seed(3)), alpha=0.1
            )
    scale = options.alpha / options.rank
    header = AdapterHeader(kind=kind, name=name, scale=scale, base=fingerprint(base.state_dict()))
    return model, Adapter(header, extract(model, name))


CASES = [
    ("s1", lambda: SemanticGPT(S1), S1LoraOptions(rank=2), logits),
    (
        "s2",
        lambda: ConversationalVITS(S2),
        S2LoraOptions(rank=2, targets=("prior_encoder", "generator")),
        sound,
    ),
]


@pytest.mark.parametrize(("kind", "make", "options", "output"), CASES, ids=["s1", "s2"])
def test_off_is_the_base_bit_for_bit_and_merged_is_on(kind, make, options, output):
    torch.manual_seed(0)
    base = make().requires_grad_(False)  # as peft does: torch's kernels differ with it by 3e-8
    before, state = output(base), copy.deepcopy(base.state_dict())
    model, adapter = trained(base, options, kind, "anna")
    activate(model, None)
    assert torch.equal(output(model), before)
    activate(model, "anna")
    on = output(model)
    assert not torch.allclose(on, before, atol=1e-3)
    twin = adapted(base, adapter)
    assert torch.allclose(output(twin), on, atol=1e-5)
    assert torch.equal(output(base), before)
    assert all(torch.equal(value, state[name]) for name, value in base.state_dict().items())


def test_the_twin_shares_what_the_adapter_leaves_alone():
    base = SemanticGPT(S1)
    _, adapter = trained(base, S1LoraOptions(rank=2, targets=("attention",)), "s1", "anna")
    twin = adapted(base, adapter)
    assert twin.head.weight is base.head.weight
    assert twin.layers[0].feed_forward_in.weight is base.layers[0].feed_forward_in.weight
    assert twin.layers[0].attention.qkv.weight is not base.layers[0].attention.qkv.weight


def test_an_adapter_of_another_base_is_refused():
    base, other = SemanticGPT(S1), SemanticGPT(S1)
    _, adapter = trained(base, S1LoraOptions(rank=2), "s1", "anna")
    with pytest.raises(AdapterError, match="another s1 model"):
        adapted(other, adapter)


def test_a_file_comes_back_as_it_was_and_other_files_are_refused(tmp_path: Path):
    _, adapter = trained(SemanticGPT(S1), S1LoraOptions(rank=2), "s1", "anna")
    adapter = dataclasses.replace(
        adapter, header=dataclasses.replace(adapter.header, tags=("<A>",))
    )
    again = load_adapter(save_adapter(tmp_path / "s1.safetensors", adapter))
    assert again.header == adapter.header
    assert set(again.tensors) == set(adapter.tensors)
    assert all(torch.equal(t, adapter.tensors[n]) for n, t in again.tensors.items())
    (tmp_path / "bad.safetensors").write_bytes(b"nonsense")
    for name in ("bad.safetensors", "none.safetensors"):
        with pytest.raises(AdapterError, match=name):
            load_adapter(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "config", "options", "share"),
    [
        ("s1", S1Config(), S1LoraOptions(rank=8), 0.05),
        ("s2", S2Config(), S2LoraOptions(rank=8), 0.05),
        ("s2", S2Config(), S2LoraOptions(rank=8, targets=("prior_encoder", "generator")), 0.05),
    ],
)
def test_an_adapter_is_at_most_5_percent_of_the_published_size(kind, config, options, share):
    with torch.device("meta"):
        model = SemanticGPT(config) if kind == "s1" else ConversationalVITS(config)
        full = sum(p.numel() for p in model.parameters())
        inject(model, options, kind=kind, names=["anna"])
    n = sum(p.numel() for _, p in matrices(model))
    assert 0 < n <= share * full, f"{n} of {full}: {n / full:.2%}"


def test_every_target_exists_in_both_networks():
    for kind, model, Options, targets in (
        ("s1", SemanticGPT(S1), S1LoraOptions, ("attention", "feed_forward")),
        ("s2", ConversationalVITS(S2), S2LoraOptions, ("prior_encoder", "generator")),
    ):
        for target in targets:
            fresh = copy.deepcopy(model)
            options = Options(rank=1, targets=(target,))
            inject(fresh, options, kind=kind, names=["anna"])
            assert any(True for _ in matrices(fresh)), target
    with pytest.raises(ValueError, match="attention, feed_forward"):
        target_pattern("s1", ("atention",))


def test_new_rows_learn_and_every_other_number_stays():
    torch.manual_seed(0)
    model = SemanticGPT(S1)
    before = copy.deepcopy(model.state_dict())
    model.requires_grad_(False)
    rows = train_rows(model, "s1", first=7, n=2)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(columns(10)).square().sum().backward()  # text ids 0 … 4: rows 7 and 8 are not said
    optimizer.step()
    model(dataclasses.replace(columns(10), ids=columns(10).ids + 5)).square().sum().backward()
    optimizer.step()
    table = rows.table()
    old = before["embedding.text.weight"]
    assert not torch.equal(table[7:9], old[7:9])
    others = [i for i in range(40) if i not in (7, 8)]
    assert torch.equal(table[others], old[others])
    after = model.state_dict()
    assert all(torch.equal(after[n], value) for n, value in before.items())


def test_dilated_convolutions_take_adapters_and_merge() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(S2, resblock_dilations=(1, 3))
    base = ConversationalVITS(config).eval()
    model = copy.deepcopy(base)
    options = S2LoraOptions(rank=2, targets=("generator",))
    inject(model, options, kind="s2", names=["one"])
    with torch.no_grad():
        for _, matrix in matrices(model):
            matrix.normal_(std=0.1)
    header = AdapterHeader(kind="s2", name="one", scale=8.0, base=fingerprint(base.state_dict()))
    twin = adapted(base, Adapter(header, extract(model, "one")))
    z = torch.randn(1, config.inter_channels, 8)
    g = torch.randn(1, config.gin_channels, 1)
    with torch.no_grad():
        plain = base.generator(z, g)
        injected, merged = model.generator(z, g), twin.generator(z, g)
    moved = (merged - plain).abs().max()
    assert moved > 0.01 * plain.abs().max()
    assert (injected - merged).abs().max() < 1e-3 * moved


def test_lora_plus_gives_b_a_rate_of_its_own_and_leaves_the_base_out() -> None:
    rule = S1OptimizerConfig(lr=1e-3, warmup_steps=0, lr_ratios={"lora_B": 8.0})
    module = S1Module(S1, rule, mask="block_causal", total_steps=10, seed=0)
    inject(module.model, S1LoraOptions(rank=2), kind="s1", names=["anna"])
    optimizer = module.configure_optimizers()["optimizer"]
    base = {n: p.detach().clone() for n, p in module.model.named_parameters() if "lora_" not in n}
    rates = {
        id(p): group["initial_lr"] for group in optimizer.param_groups for p in group["params"]
    }
    for name, parameter in module.model.named_parameters():
        wanted = {"lora_A": 1e-3, "lora_B": 8e-3}
        own = next((rate for part, rate in wanted.items() if part in name), None)
        assert rates.get(id(parameter)) == (None if own is None else pytest.approx(own)), name
    module.model(columns()).square().sum().backward()
    optimizer.step()
    after = dict(module.model.named_parameters())
    assert all(torch.equal(after[name], value) for name, value in base.items())
