"""One scale and several period discriminators (spec: s2 §10)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.nn.conv import normed

PERIODS = {
    "v1": (2, 3, 5, 7, 11),
    "v2": (2, 3, 5, 7, 11),
    "v2Pro": (2, 3, 5, 7, 11, 17, 23),
    "v2ProPlus": (2, 3, 5, 7, 11, 17, 23),
}
SLOPE = 0.1
SHORT_PERIOD = 3
"""Up to here it pays to turn the fold (2 and 3: 1.1 to 1.3 times as quick on a CPU)."""
Judgement = tuple[Tensor, list[Tensor]]
"""Flattened output (B, M) and the feature maps."""


class ScaleDiscriminator(nn.Module):
    """1-d convolutions on the raw wave; channel counts shrink with `width` (1.0 = published)."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        table = [
            (1, 16, 15, 1, 7, 1),
            (16, 64, 41, 4, 20, 4),
            (64, 256, 41, 4, 20, 16),
            (256, 1024, 41, 4, 20, 64),
            (1024, 1024, 41, 4, 20, 256),
            (1024, 1024, 5, 1, 2, 1),
        ]
        convs = []
        for c_in, c_out, kernel, stride, padding, groups in table:
            a = c_in if c_in == 1 else _scaled(c_in, width)
            b = _scaled(c_out, width)
            groups = groups if width == 1.0 else _groups(a, b, groups)
            convs.append(normed(nn.Conv1d(a, b, kernel, stride, padding, groups=groups)))
        self.convs = nn.ModuleList(convs)
        self.conv_post = normed(nn.Conv1d(_scaled(1024, width), 1, 3, padding=1))

    def forward(self, x: Tensor) -> Judgement:
        """(B, 1, T) -> output and feature maps."""
        return _judge(self, x)


class PeriodDiscriminator(nn.Module):
    """2-d convolutions on the wave folded to rows of one period.

    The kernels are one phase wide, so time may as well be the last axis, which the CPU's vector
    units run along. With a long row (a large period) the published order is as quick:

    published  (B, C, T / p, p)   0 1 2      here, p < 4   (B, C, p, T / p)   0 3 6 …
                                  3 4 5                                       1 4 7 …
                                  6 7 8 …                                     2 5 8 …
    """

    def __init__(self, period: int, width: float = 1.0) -> None:
        super().__init__()
        self.period = period
        sizes = [1, *(_scaled(c, width) for c in (32, 128, 512, 1024, 1024))]
        self.convs = nn.ModuleList(
            normed(nn.Conv2d(a, b, (5, 1), (3 if i < 4 else 1, 1), (2, 0)))
            for i, (a, b) in enumerate(zip(sizes, sizes[1:]))
        )
        self.conv_post = normed(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, x: Tensor) -> Judgement:
        """(B, 1, T) -> output and feature maps."""
        b, c, t = x.shape
        if rest := t % self.period:
            x = F.pad(x, (0, self.period - rest), "reflect")
        x = x.view(b, c, -1, self.period)
        return _judge(self, x) if self.period > SHORT_PERIOD else self._judge_turned(x)

    def _judge_turned(self, x: Tensor) -> Judgement:
        """x (B, 1, T / p, p) -> the same judgement, computed with time last."""
        x = x.transpose(2, 3).contiguous()  # (B, 1, p, T / p)
        maps = []
        for conv in [*self.convs, self.conv_post]:
            stride, padding = conv.stride[0], conv.padding[0]
            weight: Tensor = conv.weight.transpose(2, 3)
            x = F.conv2d(x, weight, conv.bias, (1, stride), (0, padding))
            if conv is not self.conv_post:
                x = F.leaky_relu(x, SLOPE)
            maps.append(x.transpose(2, 3))
        return maps[-1].flatten(1), maps


def _judge(module: nn.Module, x: Tensor) -> Judgement:
    maps = []
    for conv in module.convs:  # type: ignore[union-attr]
        x = F.leaky_relu(conv(x), SLOPE)
        maps.append(x)
    x = module.conv_post(x)  # type: ignore[operator]
    maps.append(x)
    return x.flatten(1), maps


def _scaled(channels: int, width: float) -> int:
    return max(4, int(channels * width) // 4 * 4)


def _groups(c_in: int, c_out: int, wanted: int) -> int:
    groups = min(wanted, c_in, c_out)
    while c_in % groups or c_out % groups:
        groups -= 1
    return groups


class MultiPeriodDiscriminator(nn.Module):
    """Every discriminator's judgement of a wave."""

    def __init__(self, periods: tuple[int, ...] = PERIODS["v2"], *, width: float = 1.0) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(
            [ScaleDiscriminator(width), *(PeriodDiscriminator(p, width) for p in periods)]
        )

    def forward(self, wave: Tensor) -> list[Judgement]:
        """wave (B, 1, T), 32 kHz -> one judgement per discriminator."""
        return [judge(wave) for judge in self.discriminators]
