"""LoRA by peft inside a model of ours: inject, choose the active one, take the matrices out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from GPT_SoVITS.adapters.condition import CONDITION, LearnedConditions
from GPT_SoVITS.adapters.options import LoraOptions, target_pattern


def inject(model: nn.Module, options: LoraOptions, *, kind: str, names: Sequence[str]) -> None:
    """Freeze `model` and give it one adapter per name; B is zero, so nothing changes yet."""
    model.requires_grad_(False)
    pattern = target_pattern(kind, options.targets)
    if pattern:
        _inject(model, options, pattern, names)
    if (conditions := conditions_of(model)) is not None:
        conditions.requires_grad_(True)


def _inject(model: nn.Module, options: LoraOptions, pattern: str, names: Sequence[str]) -> None:
    """peft's layers around every targeted module."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]
        lora_dropout=options.dropout,
        target_modules=pattern,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        for name in names:  # several adapters in one model are what is wanted
            inject_adapter_in_model(config, model, adapter_name=name)
    for _, layer in lora_layers(model):
        _dilate(layer)
    for _, parameter in matrices(model):
        parameter.requires_grad_(True)


def _dilate(layer: Any) -> None:
    """A of a dilated convolution is dilated too, which peft leaves out: sizes would differ."""
    if hasattr(layer.base_layer, "dilation"):
        for convolution in layer.lora_A.values():
            convolution.dilation = layer.base_layer.dilation


def activate(model: nn.Module, name: str | None) -> None:
    """The adapter of the next forward; None is the base model alone, bit for bit."""
    for _, layer in lora_layers(model):
        layer.enable_adapters(name is not None)
        if name is not None:
            layer.set_adapter([name])
    if (conditions := conditions_of(model)) is not None:
        conditions.active = name


def conditions_of(model: nn.Module) -> LearnedConditions | None:
    """The conditions that learn beside the adapters, where there are any (stage 2)."""
    found = getattr(model, "learned_condition", None)
    return found if isinstance(found, LearnedConditions) else None


def lora_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """(name in the base model, peft layer) of every targeted module."""
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
            yield name, module


def matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Every A and B of every adapter."""
    for name, parameter in model.named_parameters():
        if ".lora_A." in name or ".lora_B." in name:
            yield name, parameter


def extract(model: nn.Module, name: str) -> dict[str, Tensor]:
    """{<module>.lora_A: (r, in[, k]), <module>.lora_B: (out, r[, 1])}; `condition` (G,)."""
    found: dict[str, Tensor] = {}
    for place, layer in lora_layers(model):
        for part in ("lora_A", "lora_B"):
            found[f"{place}.{part}"] = getattr(layer, part)[name].weight.detach().clone()
    if (conditions := conditions_of(model)) is not None:
        found[CONDITION] = conditions.vectors[name].detach().clone()
    return found


@torch.no_grad()
def delta(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """What an adapter adds to a weight: linear (out, in) or convolution (out, in, k)."""
    out: Tensor = scale * torch.tensordot(b.flatten(1), a, dims=1)
    return out
