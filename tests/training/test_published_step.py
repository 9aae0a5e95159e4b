"""One training step of an imported model is the published one, with roles and distance too."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.checkpoints import ModelHeader
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, collate
from GPT_SoVITS.s1_gpt.preference import rejected_batch
from GPT_SoVITS.text import SymbolTable
from GPT_SoVITS.training.s1_module import S1Module, S1OptimizerConfig
from GPT_SoVITS.training.scaled_adam import ScaledAdam
from GPT_SoVITS.training.warm_start import Start, warm_start
from tests.vectors.folder import Folder, Vectors
from tests.vectors.s1 import network, single

RULE = S1OptimizerConfig(
    name="scaled_adam", lr=0.002, first_lr=0.01, betas=(0.9, 0.95), reduction="sum"
)
PARTS = [{}, {"use_roles": True, "max_turn_distance": 3}]


@pytest.fixture(scope="module")
def vectors(shared: Path) -> Vectors:
    folder = Folder(shared / "golden" / "nn_more")
    return Vectors.read(folder.root / "s1_v2_small.safetensors", folder)


def started(v: Vectors, optimizer: S1OptimizerConfig, **parts: object) -> S1Module:
    """The trainer's module from the imported weights, dropout 0."""
    model = network(v, {name: v.tensors[f"w/{name}"] for name in v.names("w/")})
    config = dataclasses.replace(model.config, dropout=0.0, **parts)
    module = S1Module(config, optimizer, mask="block_causal", total_steps=10, seed=1)
    header = ModelHeader(kind="s1", config={}, symbols="v2")
    start = Start(v.path, header, model.config, model.state_dict())
    warm_start(module.model, start, symbols=SymbolTable("v2"))
    return module.train()


def utterance(v: Vectors) -> ColumnBatch:
    return collate([single(v["phones"], v["codes"], v["bert"])])


@pytest.mark.parametrize("parts", PARTS, ids=["plain", "roles and distance"])
def test_loss_and_gradients_of_the_first_step_are_the_published_ones(
    vectors: Vectors, parts: dict
) -> None:
    module = started(vectors, RULE, **parts)
    loss, _ = module.loss(utterance(vectors))
    expected = float(vectors.expected["loss_sum"])
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    ours = ("embedding.role", "turn_bias")
    grads = {
        name: p.grad
        for name, p in module.model.named_parameters()
        if p.grad is not None and not name.startswith(ours)
    }
    theirs = renamed(grads, reverse(S1_NAMES), path="golden")
    norms = vectors.names("out/gradnorm/model.")
    assert set(norms) == set(theirs)
    for name in norms:
        wanted = float(vectors.expected[f"gradnorm/model.{name}"])
        assert float(theirs[name].norm()) == pytest.approx(wanted, rel=1e-4, abs=1e-5), name


def test_the_step_itself_is_the_published_optimisers(vectors: Vectors) -> None:
    """Roles and distance on or off, the shared weights move alike; the first rate is 0.01."""
    after = []
    for parts in PARTS:
        module = started(vectors, RULE, **parts)
        made = module.configure_optimizers()
        optimizer = made["optimizer"]
        assert isinstance(optimizer, ScaledAdam)
        assert {group["lr"] for group in optimizer.param_groups} == {0.01}
        module.loss(utterance(vectors))[0].backward()
        optimizer.step()
        made["lr_scheduler"]["scheduler"].step()
        assert {group["lr"] for group in optimizer.param_groups} == {0.002}
        after.append(module.model.state_dict())
    before = started(vectors, RULE).model.state_dict()
    for name, value in after[0].items():
        if name.endswith("qkv.bias"):
            continue  # a key's bias feels rounding alone, and Adam makes it large
        moved, other = value - before[name], after[1][name] - before[name]
        assert float((moved - other).norm()) <= 1e-3 * float(moved.norm()), name


def test_older_and_literal_rules_give_their_published_losses(
    shared: Path, vectors: Vectors
) -> None:
    nn = Folder(shared / "golden" / "nn")
    v = Vectors.read(nn.root / "vectors" / "s1_small_b_single.safetensors", nn)
    model = network(v, v.weights())
    module = started(vectors, dataclasses.replace(RULE, loss_rule="older"))
    module.model.load_state_dict(model.state_dict())
    batch = collate([single(v["phoneme_ids"], v["semantic_ids"], v["bert"])])
    older = float(module.loss(batch)[0].detach())
    assert older == pytest.approx(float(v.expected["loss_sum_older_rule"]), rel=1e-5)
    literal = started(vectors, dataclasses.replace(RULE, loss_rule="literal"))
    t = vectors
    rows = zip(t["batch_phones_len"], t["batch_codes_len"])
    batch = collate(
        [
            single(t["batch_phones"][i, :x], t["batch_codes"][i, :n], t["batch_bert"][i, :, :x])
            for i, (x, n) in enumerate(rows)
        ]
    )
    found = float(literal.loss(batch)[0].detach())
    assert found == pytest.approx(float(t.expected["loss_literal_batch"]), rel=1e-5)


def test_dpo_adds_a_preference_over_stumbling_codes(vectors: Vectors) -> None:
    batch = utterance(vectors)
    generator = torch.Generator().manual_seed(4)
    rejected = [rejected_batch(batch, [generator]) for _ in range(8)]
    lengths = {int(r.lengths()[0]) for r in rejected}
    assert len(lengths) > 2  # some longer, some shorter
    first = int((~batch.is_text[0]).nonzero()[0])
    for r in rejected:
        assert torch.equal(r.ids[0, :first], batch.ids[0, :first])
        spoken = r.ids[0, first:]
        assert r.target[0, first - 1 :].tolist() == [*spoken.tolist(), 1024]
    plain = started(vectors, RULE)
    both = started(vectors, dataclasses.replace(RULE, dpo=True))
    with torch.inference_mode():
        assert float(both.loss(batch)[0]) > float(plain.loss(batch)[0])


def test_rates_by_name_reach_their_parameters(vectors: Vectors) -> None:
    rule = dataclasses.replace(RULE, lr_ratios={"embedding.role": 5.0}, first_lr=0.0)
    made = started(vectors, rule, use_roles=True).configure_optimizers()
    rates = sorted((g["lr"], len(g["params"])) for g in made["optimizer"].param_groups)
    assert rates[-1] == (0.01, 1)
    wrong = dataclasses.replace(RULE, lr_ratios={"embeding": 2.0})
    with pytest.raises(ValueError, match="fit no parameter"):
        started(vectors, wrong).configure_optimizers()
