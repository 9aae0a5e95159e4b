"""ScaledAdam in both formats: given gradients in, parameters after some steps out."""

from __future__ import annotations

import re

from torch import Tensor, nn

from GPT_SoVITS.training.scaled_adam import ScaledAdam
from tests.vectors.folder import Vectors

FIRST_LR, LATER_LR = 0.01, 0.002


def scaled_adam(v: Vectors) -> dict[str, Tensor]:
    """`in/grad_<name>_<step>` (nn) or `in/grad_<step>_<name>` (nn_more), all steps."""
    wide = v.folder.wide
    pattern = re.compile(r"(?P<step>\d+)_(?P<name>\w+)" if wide else r"(?P<name>\w+)_(?P<step>\d+)")
    found = [pattern.fullmatch(rest) for rest in v.names("in/grad_")]
    grads = {
        (int(m["step"]), m["name"]): v[f"grad_{rest}"]
        for m, rest in zip(found, v.names("in/grad_"))
        if m is not None
    }
    parameters = {n: nn.Parameter(v[f"param_{n}"].clone()) for n in v.names("in/param_")}
    period = int(v.config.get("clipping_update_period", 1000))
    optimiser = ScaledAdam(parameters.values(), clipping_period=period)
    out: dict[str, Tensor] = {}
    for step in sorted({step for step, _ in grads}):
        rates = v.config.get("lr_first", FIRST_LR), v.config.get("lr_rest", LATER_LR)
        for group in optimiser.param_groups:
            group["lr"] = rates[min(step, 1)]
        for name, parameter in parameters.items():
            parameter.grad = grads[step, name]
        optimiser.step()
        for name, parameter in parameters.items():
            key = f"param_after_{step:02d}_{name}" if wide else f"param_{name}_after_{step:02d}"
            out[key] = parameter.detach().clone()
    return out
