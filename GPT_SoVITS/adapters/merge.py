"""A base model with an adapter added to its weights; the base itself is never touched.

base     embedding  layer 0  layer 1  head        one set of tensors
             |         x        x       |         x: W + scale B A, its own tensor
adapted  embedding  layer 0' layer 1' head        all else is shared with the base
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from GPT_SoVITS.adapters.condition import CONDITION, LearnedConditions
from GPT_SoVITS.adapters.file import Adapter, AdapterError, fingerprint
from GPT_SoVITS.adapters.lora import delta
from GPT_SoVITS.adapters.rows import PHONEME_TABLES

Model = TypeVar("Model", bound=nn.Module)
SYMBOL_FIELDS = {"s1": "phoneme_vocab_size", "s2": "n_symbols"}


@torch.no_grad()
def adapted(base: Model, adapter: Adapter) -> Model:
    """A model beside `base` that speaks with the adapter; it costs the targeted weights only.

    Raises `AdapterError`.
    """
    if adapter.header.base != fingerprint(base.state_dict()):
        raise AdapterError(
            f"adapter {adapter.header.name!r} was trained on another {adapter.header.kind} model"
        )
    shared = {id(t): t for t in (*base.parameters(), *base.buffers())}
    twin = copy.deepcopy(base, shared)
    for name in (n for n in adapter.tensors if n.endswith(".lora_A")):
        place = name.removesuffix(".lora_A")
        a, b = adapter.tensors[name], adapter.tensors[f"{place}.lora_B"]
        _add(twin, place, delta(a, b, adapter.header.scale))
    if adapter.rows is not None:
        _grow(twin, adapter)
    if CONDITION in adapter.tensors:
        own: Any = LearnedConditions({"own": adapter.tensors[CONDITION]})
        own.active = "own"
        twin.learned_condition = own.to(next(twin.parameters()).device)
    return twin


def _add(twin: nn.Module, place: str, addition: torch.Tensor) -> None:
    """weight + addition in the twin; a weight-normed module gets a g and v of its own."""
    module: Any = twin.get_submodule(place)
    weight = module.weight
    value = weight + addition.to(weight)
    if parametrize.is_parametrized(module, "weight"):
        parent, _, child = place.rpartition(".")
        module = copy.deepcopy(module)
        setattr(twin.get_submodule(parent), child, module)
        module.weight = value
    else:
        module.weight = nn.Parameter(value, requires_grad=weight.requires_grad)


def _grow(twin: nn.Module, adapter: Adapter) -> None:
    """The new rows in the phoneme table, and the config that counts them."""
    kind, rows = adapter.header.kind, adapter.rows
    table = twin.get_submodule(PHONEME_TABLES[kind])
    assert isinstance(table, nn.Embedding) and rows is not None
    old, first = table.weight, adapter.header.first_row
    size = max(len(old), first + len(rows))
    weight = old.new_zeros(size, old.shape[1])
    weight[: len(old)] = old
    weight[first : first + len(rows)] = rows.to(old)
    table.weight, table.num_embeddings = nn.Parameter(weight, old.requires_grad), size
    config = dataclasses.replace(twin.config, **{SYMBOL_FIELDS[kind]: size})  # type: ignore[type-var]
    twin.config = config
