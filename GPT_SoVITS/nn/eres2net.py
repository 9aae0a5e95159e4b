"""ERes2NetV2, the speaker network of v2Pro and v2ProPlus (spec: features §5.2).

Structure and parameter names follow the published weights of 3D-Speaker (Apache-2.0); the code is
our own. Only the part before the pooling head is used: a vector of 20480 per utterance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SPLITS = 4
EXPANSION = 4
BASE_WIDTH = 24
# planes, blocks, first stride, fusion by attention instead of a sum
STAGES = ((64, 3, 1, False), (128, 4, 2, False), (256, 6, 2, True), (512, 3, 2, True))
N_BINS = 80
VECTOR_DIM = STAGES[-1][0] * EXPANSION * N_BINS // 8
EMBEDDING_DIM = 192


def clipped(x: Tensor) -> Tensor:
    """The activation inside the blocks, of any shape (B, …)."""
    return x.clamp(0.0, 20.0)


class AttentiveFusion(nn.Module):
    """x t + y (2 - t), with t = 1 + tanh of a bottleneck over both."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        inner = channels // reduction
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, inner, 1),
            nn.BatchNorm2d(inner),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Two (B, C, F, T) -> (B, C, F, T)."""
        t = 1.0 + self.local_att(torch.cat([x, y], dim=1)).tanh()
        out: Tensor = x * t + y * (2.0 - t)
        return out


class Block(nn.Module):
    """1x1, four 3x3 that each hear the one before, 1x1, shortcut."""

    def __init__(self, channels: int, planes: int, stride: int, *, fuse: bool) -> None:
        super().__init__()
        width, out = planes * BASE_WIDTH // 64, planes * EXPANSION
        self.conv1 = nn.Conv2d(channels, SPLITS * width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(SPLITS * width)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(SPLITS)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(SPLITS))
        self.fuse_models = nn.ModuleList(
            AttentiveFusion(width) for _ in range(SPLITS - 1 if fuse else 0)
        )
        self.conv3 = nn.Conv2d(SPLITS * width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, T) -> (B, 4 planes, F / stride, T / stride)."""
        done: list[Tensor] = []
        for i, part in enumerate(clipped(self.bn1(self.conv1(x))).chunk(SPLITS, dim=1)):
            if i:
                before = done[-1]
                part = self.fuse_models[i - 1](before, part) if self.fuse_models else before + part
            done.append(clipped(self.bns[i](self.convs[i](part))))
        y = self.bn3(self.conv3(torch.cat(done, dim=1)))
        return clipped(y + self.shortcut(x))


class ERes2NetV2(nn.Module):
    """Filter-bank frames of an utterance -> its speaker vector."""

    def __init__(self) -> None:
        super().__init__()
        channels = STAGES[0][0]
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        for number, (planes, n_blocks, stride, fuse) in enumerate(STAGES, start=1):
            blocks = []
            for i in range(n_blocks):
                blocks.append(Block(channels, planes, stride if i == 0 else 1, fuse=fuse))
                channels = planes * EXPANSION
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.layer3_ds = nn.Conv2d(channels // 2, channels, 3, 2, padding=1, bias=False)
        self.fuse34 = AttentiveFusion(channels)
        self.seg_1 = nn.Linear(2 * VECTOR_DIM, EMBEDDING_DIM)  # in the file, not used here

    def forward(self, bank: Tensor) -> Tensor:
        """bank (B, T, 80) of utterances of one length -> (B, 20480)."""
        x = F.relu(self.bn1(self.conv1(bank.transpose(1, 2)[:, None])))  # (B, 64, 80, T)
        third = self.layer3(self.layer2(self.layer1(x)))  # type: ignore[operator]
        fourth = self.layer4(third)  # type: ignore[operator]
        fused = self.fuse34(fourth, self.layer3_ds(third))  # (B, 2048, 10, T / 8)
        out: Tensor = fused.flatten(1, 2).mean(dim=2)
        return out
