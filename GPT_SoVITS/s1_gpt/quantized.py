"""Linear layers as decoding reads them: fp32, bf16, or int8 weights with a scale per output row.

One token reads every weight once and does almost nothing with it: speed is bytes per weight.

    w (O, I) fp32      ~  q (O, I) int8 * scale (O, 1)       a quarter of the bytes
    y = (x as bf16) q^T * scale + bias                       weight-only: x is not quantised
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Projection = Callable[[Tensor], Tensor]
"""(B, I) float32 -> (B, O) float32"""

PRECISIONS = ("auto", "fp32", "bf16", "int8")
SMALLEST_INT8_WIDTH = 256
"""Below this width a network fits a core's own cache: int8 would cost precision for nothing."""


def choose_precision(precision: str, *, device: torch.device, width: int) -> str:
    """What ``auto`` means for a network of this width on this device."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16"
    vector = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return "int8" if vector and width >= SMALLEST_INT8_WIDTH else "fp32"


def projection(linear: nn.Linear, precision: str) -> Projection:
    """A linear layer at ``fp32`` (the layer itself), ``bf16`` or ``int8``."""
    if precision == "fp32":
        return linear
    kind = Int8Projection if precision == "int8" else BFloat16Projection
    return kind(linear.weight.detach(), None if linear.bias is None else linear.bias.detach())


class Int8Projection:
    """int8 weights, one scale per output row."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = weight.abs().amax(1).clamp(min=1e-8) / 127
        self.scale = scale.bfloat16()  # rounded first, so that the rounding costs no accuracy
        steps = weight / self.scale.float()[:, None]
        self.weight = steps.round().clamp(-127, 127).to(torch.int8)
        self.bias = torch.zeros_like(scale) if bias is None else bias

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)"""
        y = torch._weight_int8pack_mm(x.bfloat16(), self.weight, self.scale)
        return y.float().add_(self.bias)


class BFloat16Projection:
    """bf16 weights and products."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight.bfloat16()
        self.bias = None if bias is None else bias.bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)"""
        return F.linear(x.bfloat16(), self.weight, self.bias).float()
