"""Parameters in groups of one learning rate and one weight decay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from GPT_SoVITS.training.config import ConfigError


def rate_groups(
    named: Iterable[tuple[str, nn.Parameter]],
    lr: float,
    ratios: Mapping[str, float],
    *,
    decay: float | None = None,
) -> list[dict[str, Any]]:
    """Groups of rate `lr` times the ratio of the longest key that fits a name, else `lr`.

    A key fits names that begin with it or hold it as a part (`lora_B`: the rate of LoRA+). With
    `decay` matrices and vectors part: vectors and biases do not decay. A ratio that fits no
    parameter is an error.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    used = set()
    for name, parameter in named:
        fits = (p for p in ratios if name.startswith(p) or p in name.split("."))
        fitting = max(fits, key=len, default=None)
        used.add(fitting)
        ratio = 1.0 if fitting is None else ratios[fitting]
        groups.setdefault((ratio, parameter.ndim > 1 or decay is None), []).append(parameter)
    unknown = sorted(set(ratios) - used)
    if unknown:
        raise ConfigError(f"lr_ratios {unknown} fit no parameter of this model")
    made = []
    for (ratio, matrix), parameters in groups.items():
        group: dict[str, Any] = {"params": parameters, "lr": lr * ratio}
        if decay is not None:
            group["weight_decay"] = decay if matrix else 0.0
        made.append(group)
    return made


def adamw_kernel(module: Any) -> dict[str, bool]:
    """The quickest AdamW; with a gradient scaler (16-mixed) the fused one cannot be clipped."""
    trainer = getattr(module, "_trainer", None)
    scaled = getattr(getattr(trainer, "precision_plugin", None), "scaler", None) is not None
    return {"foreach": True} if scaled else {"fused": True}
