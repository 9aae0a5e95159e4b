"""A learned condition: the medoid it starts at, whose gradient it feels, what it replaces."""

from __future__ import annotations

import copy

import pytest
import torch

from GPT_SoVITS.adapters.condition import CONDITION, LearnedConditions, medoid
from GPT_SoVITS.adapters.file import Adapter, AdapterHeader, fingerprint
from GPT_SoVITS.adapters.lora import activate, extract, inject
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.adapters.options import S2LoraOptions
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from tests.adapters.test_lora import S2, sound


@pytest.mark.parametrize(("metric", "place"), [("euclidean", 0), ("cosine", 4)])
def test_medoid_of_five_points_by_both_metrics(metric: str, place: int) -> None:
    points = torch.tensor([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [0.0, 1.0], [9.0, 10.0]])
    assert medoid(points, metric=metric) == place  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_medoid_is_that_of_a_double_loop(metric: str) -> None:
    points = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)).double()

    def apart(a: torch.Tensor, b: torch.Tensor) -> float:
        if metric == "cosine":
            return 1 - float(torch.cosine_similarity(a, b, dim=0))
        return float((a - b).norm())

    sums = [sum(apart(a, b) for b in points) for a in points]
    assert medoid(points, metric=metric) == min(range(200), key=sums.__getitem__)  # type: ignore[arg-type]


def three_voices() -> ConversationalVITS:
    torch.manual_seed(0)
    model = ConversationalVITS(S2).eval()
    starts = {name: torch.randn(S2.gin_channels) for name in ("anna", "bert", "cora")}
    model.learned_condition = LearnedConditions(starts)
    inject(model, S2LoraOptions(rank=2), kind="s2", names=list(starts))
    return model


def test_each_condition_feels_its_own_speaker_alone() -> None:
    model = three_voices()
    conditions = model.learned_condition
    assert isinstance(conditions, LearnedConditions)
    activate(model, "bert")
    reference = torch.rand(2, 1025, 20)
    model.condition(reference, torch.ones(2, 1, 20)).square().sum().backward()
    touched = {name for name, v in conditions.vectors.items() if v.grad is not None}
    assert touched == {"bert"}


def test_an_own_condition_speaks_whatever_the_reference_and_off_is_the_base() -> None:
    base = three_voices()
    base.learned_condition = None
    plain = ConversationalVITS(S2).eval()
    plain.load_state_dict(
        {n.replace(".base_layer", ""): t for n, t in base.state_dict().items() if "lora_" not in n}
    )
    model = three_voices()
    header = AdapterHeader(kind="s2", name="anna", scale=8.0, base=fingerprint(plain.state_dict()))
    found = Adapter(header, extract(model, "anna"))
    assert found.tensors[CONDITION].shape == (S2.gin_channels,)
    before = sound(plain.requires_grad_(False))  # as in training: other kernels round otherwise
    twin = adapted(plain, found)
    mask = torch.ones(1, 1, 20)
    one, other = (twin.condition(torch.rand(1, 1025, 20), mask) for _ in range(2))
    assert torch.equal(one, other) and torch.equal(one[0, :, 0], found.tensors[CONDITION])
    assert not torch.equal(sound(twin), before)
    assert torch.equal(sound(plain), before), "the base is as it was, bit for bit"
    activate(model, None)
    assert torch.equal(sound(model), before), "and so is the network in training, switched off"
    assert plain.learned_condition is None and copy.deepcopy(twin).learned_condition is not None
