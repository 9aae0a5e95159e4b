"""The generator as speaking runs it: plain weights, channels last, half precision where it pays.

    theirs (training)      ours (inference)
    (B, C, T) fp32         (B, C, 1, T) channels last: one time step's channels lie together, the
                           order oneDNN's and cuDNN's convolutions read without rearranging
    g v / |v| every call   the weight, computed once
    transposed conv        a plain one with `rate` times the channels, and a view:

        out   o0 o1 o2 | o3 o4 o5      rate 3: the three outputs of an input step are three groups
        in    i0       | i1            of channels (…, 3 C) -> (…, T, 3, C) -> (…, 3 T, C)

The function is the generator's: equal to 1e-5 at fp32 (`tests/s2_vits/test_vocoder.py`). At half
precision the last stages stay fp32: they have a seventh of the operations, and what is rounded
there is heard as noise at once (docs/performance.md has signal to noise against speed).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.s2_vits.generator import LAST_SLOPE, SLOPE, Generator, ResidualBlock

HALF = {"cpu": torch.bfloat16, "cuda": torch.float16}
"""float16 keeps three more bits than bfloat16; the generator's values stay far below its range, and
the published inference runs stage 2 in it. CPUs multiply bfloat16 alone."""

FINE_STAGES = 2
"""Last upsampling stages, those of 16 and 32 kHz, that are fp32 also at half precision."""


@dataclass(frozen=True)
class _Convolution:
    """A convolution of stride 1 over (B, C, 1, T)."""

    weight: Tensor
    bias: Tensor | None
    padding: int
    dilation: int = 1

    @classmethod
    def of(cls, conv: nn.Module, dtype: torch.dtype) -> _Convolution:
        """A copy of the layer's weights."""
        assert isinstance(conv, nn.Conv1d)
        bias = None if conv.bias is None else conv.bias.detach().to(dtype)
        padding, dilation = int(conv.padding[0]), int(conv.dilation[0])
        return cls(_laid_out(conv.weight.detach(), dtype), bias, padding, dilation)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, 1, T) -> (B, C', 1, T)"""
        padding, dilation = (0, self.padding), (1, self.dilation)
        return F.conv2d(x, self.weight, self.bias, padding=padding, dilation=dilation)


@dataclass(frozen=True)
class _Upsampling:
    """A transposed convolution as a plain one over (B, C, 1, T)."""

    convolution: _Convolution
    rate: int

    @classmethod
    def of(cls, up: nn.ConvTranspose1d, dtype: torch.dtype) -> _Upsampling:
        """A copy of the layer's weights, sorted by the output they make."""
        rate = int(up.stride[0])
        weight, side = by_phase(up.weight.detach(), rate)
        assert up.bias is not None
        bias = up.bias.detach().repeat(rate).to(dtype)
        return cls(_Convolution(_laid_out(weight, dtype), bias, side), rate)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, 1, T) -> (B, C', 1, rate T)"""
        y = self.convolution(x).permute(0, 2, 3, 1)  # (B, 1, T, rate C'), no copy: channels last
        return y.reshape(len(x), 1, y.shape[2] * self.rate, -1).permute(0, 3, 1, 2)


class Vocoder:
    """A generator prepared for inference at ``fp32`` or ``half``; holds weights only.

    Called as the generator is: latents (B, inter, T), condition (B, G, 1) -> wave (B, 1, 640 T),
    float32. Weights are copied: what the generator learns afterwards is not heard.
    """

    def __init__(
        self, generator: Generator, *, half: bool = False, fine_stages: int = FINE_STAGES
    ) -> None:
        device = generator.conv_pre.weight.device
        if half and device.type not in HALF:
            raise ValueError(f"no half precision for the vocoder on {device.type}")
        coarse = HALF[device.type] if half else torch.float32
        n = len(generator.ups)
        self._dtypes = [coarse if n - i > fine_stages else torch.float32 for i in range(n)]
        self._pre = _Convolution.of(generator.conv_pre, coarse)
        self._cond = generator.cond
        ups = zip(_transposed(generator.ups), self._dtypes)
        self._ups = [_Upsampling.of(up, dtype) for up, dtype in ups]
        self._n_kernels = generator.n_kernels
        self._blocks = [
            [
                (_Convolution.of(one, dtype), _Convolution.of(two, dtype))
                for one, two in zip(block.convs1, block.convs2)
            ]
            for block, dtype in zip(_residual(generator.resblocks), self._repeated())
        ]
        self._post = _Convolution.of(generator.conv_post, self._dtypes[-1])
        self._coarse = coarse

    @torch.inference_mode()
    def __call__(self, z: Tensor, condition: Tensor) -> Tensor:
        """z (B, inter, T), condition (B, G, 1) -> (B, 1, 640 T)"""
        x = z[:, :, None].to(self._coarse).contiguous(memory_format=torch.channels_last)
        x = self._pre(x) + self._cond(condition)[:, :, None].to(self._coarse)
        for stage, (up, dtype) in enumerate(zip(self._ups, self._dtypes)):
            x = up(F.leaky_relu(x, SLOPE).to(dtype))
            first = stage * self._n_kernels
            x = self._mixed(x, self._blocks[first : first + self._n_kernels])
        return self._post(F.leaky_relu(x, LAST_SLOPE))[:, :, 0].float().tanh()

    def _repeated(self) -> list[torch.dtype]:
        """The dtype of every residual block."""
        return [dtype for dtype in self._dtypes for _ in range(self._n_kernels)]

    def _mixed(self, x: Tensor, blocks: list[list[tuple[_Convolution, _Convolution]]]) -> Tensor:
        """The mean of the residual blocks (B, C, 1, T)."""
        start, total = F.leaky_relu(x, SLOPE), None
        for block in blocks:
            y = x
            for one, two in block:
                heard = start if y is x else F.leaky_relu(y, SLOPE)
                y = two(F.leaky_relu_(one(heard), SLOPE)).add_(y)
            total = y if total is None else total.add_(y)
        assert total is not None
        return total.mul_(1 / len(blocks))


def by_phase(weight: Tensor, rate: int) -> tuple[Tensor, int]:
    """Transposed weight (C, C', K) at stride `rate`, padding (K - rate) / 2 -> its plain twin
    (rate C', C, 2 side + 1) and the zeros on each side.

    Output rate q + s reads input q - m with the tap rate m + s + padding, where there is one.
    """
    channels, out, kernel = weight.shape
    padding = (kernel - rate) // 2
    side = max((kernel - 1 - padding) // rate, (rate - 1 + padding) // rate)
    plain = weight.new_zeros(rate, out, channels, 2 * side + 1)
    for phase in range(rate):
        for m in range(-side, side + 1):
            tap = rate * m + phase + padding
            if 0 <= tap < kernel:
                plain[phase, :, :, side - m] = weight[:, :, tap].T
    return plain.flatten(0, 1), side


def _laid_out(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """(C', C, K) -> (C', C, 1, K), channels last."""
    return weight[:, :, None].to(dtype).contiguous(memory_format=torch.channels_last)


def _transposed(layers: nn.ModuleList) -> list[nn.ConvTranspose1d]:
    return [layer for layer in layers if isinstance(layer, nn.ConvTranspose1d)]


def _residual(layers: nn.ModuleList) -> list[ResidualBlock]:
    return [layer for layer in layers if isinstance(layer, ResidualBlock)]
