"""Convolutions with weight norm (Salimans & Kingma 2016); the only file that knows of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm


def normed(module: nn.Module) -> nn.Module:
    """weight = g v / |v|, the norm over all dimensions but the first, transposed or not."""
    normed: nn.Module = weight_norm(module, dim=0)
    return normed


def fold_weight_norm(module: nn.Module) -> nn.Module:
    """Replace g, v by the weight everywhere below `module` (inference); returns it."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
    return module


def same_padding(kernel: int, dilation: int = 1) -> int:
    """Zeros on each side that keep the length of an odd kernel."""
    return (kernel - 1) * dilation // 2


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, T); parameters `gamma`, `beta`."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        shape = (x.shape[1],)
        y = nn.functional.layer_norm(x.transpose(1, 2), shape, self.gamma, self.beta, self.eps)
        return y.transpose(1, 2)
