"""Codebook: nearest row, EMA updates, k-means start, dead-code replacement (spec: s2 §8).

As in VQ-VAE (arXiv 1711.00937, appendix A.1) and EnCodec (arXiv 2210.13438).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

DECAY = 0.99
EPSILON = 1e-5
DEAD_BELOW = 2.0
MAX_START = 10_000
"""Vectors of the first batch that k-means starts from."""


@dataclass(frozen=True)
class QuantizedResult:
    """`quantized` (B, D, N) straight-through, `codes` (B, N), `commitment` scalar."""

    quantized: Tensor
    codes: Tensor
    commitment: Tensor


class Quantizer(nn.Module):
    """One codebook (n_codes, dim); buffers only, no parameters."""

    embed: Tensor
    embed_avg: Tensor
    cluster_size: Tensor
    inited: Tensor

    def __init__(self, n_codes: int, dim: int) -> None:
        super().__init__()
        self.n_codes = n_codes
        self.register_buffer("inited", torch.zeros(1))
        self.register_buffer("cluster_size", torch.zeros(n_codes))
        self.register_buffer("embed", torch.zeros(n_codes, dim))
        self.register_buffer("embed_avg", torch.zeros(n_codes, dim))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """(B, D, N) -> codes (B, N): nearest row by squared Euclidean distance."""
        flat = x.transpose(1, 2).reshape(-1, x.shape[1]).float()
        return nearest(flat, self.embed).view(x.shape[0], x.shape[2])

    def decode(self, codes: Tensor) -> Tensor:
        """(B, N) -> (B, D, N)."""
        return self.embed[codes].transpose(1, 2)

    def forward(self, x: Tensor, *, update: bool = False) -> QuantizedResult:
        """Quantise (B, D, N); with `update` the codebook moves by EMA after the lookup.

        A table that was never set starts from k-means on the first batch.
        """
        if update and not bool(self.inited):
            self._start(x.detach())
        codes = self.encode(x)
        q = self.decode(codes)
        if update:
            self._update(x.detach(), codes)
        q = x + (q - x).detach()
        return QuantizedResult(q, codes, (q.detach() - x).square().mean())

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        flat = x.transpose(1, 2).reshape(-1, x.shape[1]).float()
        sample = flat[torch.randperm(len(flat), device=flat.device)[:MAX_START]]
        self.fit(sample, seed=int(torch.randint(2**31, ())))
        if dist.is_available() and dist.is_initialized():
            for value in self.buffers():
                dist.broadcast(value, src=0)

    @torch.no_grad()
    def _update(self, x: Tensor, codes: Tensor) -> None:
        flat = x.transpose(1, 2).reshape(-1, x.shape[1]).float()
        index = codes.reshape(-1)
        count = torch.bincount(index, minlength=self.n_codes).to(flat)
        total = torch.zeros_like(self.embed).index_add_(0, index, flat)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(count)
            dist.all_reduce(total)
        self.cluster_size.mul_(DECAY).add_(count, alpha=1 - DECAY)
        self.embed_avg.mul_(DECAY).add_(total, alpha=1 - DECAY)
        n = self.cluster_size.sum()
        share = (self.cluster_size + EPSILON) / (n + self.n_codes * EPSILON) * n
        self.embed.copy_(self.embed_avg / share[:, None])
        self._replace_dead(flat)

    def _replace_dead(self, flat: Tensor) -> None:
        dead = self.cluster_size < DEAD_BELOW
        if not bool(dead.any()):
            return
        n = self.n_codes
        if len(flat) >= n:
            pick = torch.randperm(len(flat), device=flat.device)[:n]
        else:
            pick = torch.randint(len(flat), (n,), device=flat.device)
        self.embed.copy_(torch.where(dead[:, None], flat[pick], self.embed))

    @torch.no_grad()
    def fit(self, vectors: Tensor, *, seed: int = 0, iterations: int = 50) -> None:
        """Set the table by k-means on vectors (M, D)."""
        table, count = kmeans(vectors.float(), self.n_codes, seed=seed, iterations=iterations)
        self.embed.copy_(table)
        self.embed_avg.copy_(table * count[:, None])
        self.cluster_size.copy_(count)
        self.inited.fill_(1.0)


def nearest(vectors: Tensor, table: Tensor) -> Tensor:
    """(M, D), (K, D) -> (M,) index of the nearest row; ties go to the lower index."""
    squares = table.square().sum(1)
    parts = [
        (block.square().sum(1, keepdim=True) - 2 * block @ table.T + squares).argmin(dim=1)
        for block in vectors.split(8192)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.long)


def kmeans(vectors: Tensor, k: int, *, seed: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Seeded Lloyd iterations -> table (k, D), counts (k,).

    Empty clusters move to the vectors farthest from their centre. Raises `ValueError`.
    """
    if len(vectors) == 0:
        raise ValueError("k-means needs at least one vector")
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(vectors), generator=generator)
    table = vectors[order[torch.arange(k) % len(vectors)]].clone()
    count = torch.zeros(k)
    for step in range(iterations + 1):
        index = nearest(vectors, table)
        count = torch.bincount(index, minlength=k).to(vectors)
        if step == iterations:
            break
        total = torch.zeros_like(table).index_add_(0, index, vectors)
        moved = torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], table)
        empty = torch.nonzero(count == 0)[:, 0]
        if len(empty) and step < iterations - 1:
            error = (vectors - moved[index]).square().sum(1)
            far = error.topk(min(len(empty), len(vectors))).indices
            moved[empty[: len(far)]] = vectors[far]
        if torch.equal(moved, table):
            break
        table = moved
    return table, count
