"""Linear layers as decoding reads them: fp32, bf16, or int8 weights with a scale per output row.

One token reads every weight once and does almost nothing with it: speed is bytes per weight, and
how near the kernel comes to the memory's own speed (docs/performance.md has the figures).

    w (O, I) fp32      ~  q (O, I) int8 * scale (O, 1)       a quarter of the bytes
    y = (x as bf16) q^T * scale + bias                       weight-only: x is not quantised

On a CPU fp32 and bf16 weights are laid out once for oneDNN's kernel; the framework's own call for
one row reads memory at half that speed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.s1_gpt.config import PRECISIONS

Projection = Callable[[Tensor], Tensor]
"""(B, I) -> (B, O), float32 on a CPU"""

SMALLEST_INT8_WIDTH = 256
"""Below this width a network fits a core's own cache: int8 would cost precision for nothing."""


def choose_precision(precision: str, *, device: torch.device, width: int) -> str:
    """What ``auto`` means for a network of this width on this device: the fastest measured.

    Raises `ValueError`.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; it must be one of {', '.join(PRECISIONS)}")
    if precision == "int8" and device.type != "cpu":
        raise ValueError(f"precision int8 is for CPUs; use bf16 on {device.type}")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16"
    vector = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return "int8" if vector and width >= SMALLEST_INT8_WIDTH else "fp32"


def projection(linear: nn.Linear, precision: str, *, relu: bool = False) -> Projection:
    """A CPU copy of a linear layer at ``fp32``, ``bf16`` or ``int8``; ReLU behind it if asked."""
    weight = linear.weight.detach()
    bias = None if linear.bias is None else linear.bias.detach()
    if precision == "int8":
        return Int8Projection(weight, bias, relu=relu)
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return PackedProjection(weight.to(kind), bias, relu=relu)
    return SharedProjection(linear.to(kind) if kind != weight.dtype else linear, relu=relu)


class SharedProjection:
    """The layer itself: nothing is copied."""

    def __init__(self, linear: nn.Linear, *, relu: bool = False) -> None:
        self.linear, self.relu = linear, relu

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)"""
        y = self.linear(x)
        return F.relu(y) if self.relu else y


class PackedProjection:
    """fp32 or bf16 weights in the order oneDNN reads them."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, relu: bool = False) -> None:
        self.kind, self.activation = weight.dtype, "relu" if relu else "none"
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, 1)
        self.bias = None if bias is None else bias.to(weight.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)"""
        x = x.to(self.kind)
        y = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "")
        out: Tensor = y.float()
        return out


class Int8Projection:
    """int8 weights, one scale per output row."""

    def __init__(self, weight: Tensor, bias: Tensor | None, *, relu: bool = False) -> None:
        scale = weight.abs().amax(1).clamp(min=1e-8) / 127
        self.scale = scale.bfloat16()  # rounded first, so that the rounding costs no accuracy
        steps = weight / self.scale.float()[:, None]
        self.weight = steps.round().clamp(-127, 127).to(torch.int8)
        self.bias = torch.zeros_like(scale) if bias is None else bias
        self.relu = relu

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)"""
        y = torch._weight_int8pack_mm(x.bfloat16(), self.weight, self.scale).float()
        y.add_(self.bias)
        return y.relu_() if self.relu else y
