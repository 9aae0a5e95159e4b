"""The decoding step compiled for this CPU: every weight is read once, at the memory's own speed.

    for every layer        threads share          by
      q k v = W x + b      rows of W              blocks of 16
      attention            (reply, head) pairs    one each
      out, add, norm       rows of W
      feed-forward, norm   rows of W

It is :meth:`Decoder.logits` line by line, without the cost of some 600 calls per token and with
kernels that reach the memory's bandwidth where the framework's reach half of it. It has its own
copy of the weights, in large pages (:mod:`GPT_SoVITS.s1_gpt.large_pages`). The code is compiled by
numba once per machine and kept in its cache; without numba, or without its OpenMP threads, the
decoder goes the framework's way.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from GPT_SoVITS.s1_gpt import large_pages
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.layer import Layer
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.projections import Int8Projection

SMALLEST_WIDTH = 256
"""Below this width a step is too short to be worth compiling."""
MOST_ROWS = 16
"""With more replies the framework's matrix products are as fast as rows one by one."""
PLACES = 2048
"""Positions of a reply (82 s) known beforehand."""


class CannotCompile(ValueError):
    """The step cannot be compiled here; the message says what is missing."""


def can_compile() -> bool:
    """Whether numba is there, with threads that several callers may use at once."""
    return (
        importlib.util.find_spec("numba") is not None
        and importlib.util.find_spec("numba.np.ufunc.omppool") is not None
    )


class CompiledStep:
    """One column per reply through the network; holds weights only, threads may share it."""

    def __init__(self, model: SemanticGPT, precision: str) -> None:
        self._model = model
        with torch.no_grad():
            self._places = model.embedding.semantic_position(torch.arange(PLACES)[None])[0]
        layers = [layer for layer in model.layers if isinstance(layer, Layer)]
        parts = [
            [layer.attention.qkv for layer in layers],
            [layer.attention.out for layer in layers],
            [layer.feed_forward_in for layer in layers],
            [layer.feed_forward_out for layer in layers],
        ]
        self._kernel = kernel()
        self._projections = tuple(_packed(part, precision) for part in parts)
        norms = [(layer.norm1, layer.norm2) for layer in layers]
        self._norms = _stack(
            [_stack([_stack([n.weight, n.bias]) for n in pair]) for pair in norms]
        )  # (L, 2, 2, D)
        self._epsilon = np.float32(norms[0][0].eps)
        self._head = _packed([model.head], "fp32")
        self._n_head, self._vocabulary = model.config.n_head, model.config.vocab_size

    def embed(self, columns: ColumnBatch) -> Tensor:
        """Response codes (B, 1) -> (B, D): :meth:`SemanticGPT.embed` without a sine.

        The framework spreads a sine of 128 numbers over its threads, which then wait, busy, for
        more on the cores that this step's own threads need.
        """
        embedding = self._model.embedding
        if int(columns.position.max()) >= PLACES:
            return self._model.embed(columns)[:, 0]
        x = embedding.semantic(columns.ids[:, 0]) + self._places[columns.position[:, 0]]
        out: Tensor = x if embedding.role is None else x + embedding.role(columns.role[:, 0])
        return out

    def logits(
        self, x: Tensor, keys: Tensor, values: Tensor, lengths: Sequence[int], bias: Tensor | None
    ) -> Tensor:
        """Embedded columns (B, D), the caches' buffers (L, S, H, C, d) -> (B, V).

        Reply b owns slot b; its new column is number ``lengths[b]``, and it is written there.
        ``bias`` (B, H, 1, Nk) is added to scores.
        """
        import numba

        given = np.zeros((0, 0, 0), np.float32)
        if bias is not None:
            given = np.ascontiguousarray(bias[:, :, 0].float().numpy())
        config: Any = numba.config
        numba.set_num_threads(min(torch.get_num_threads(), config.NUMBA_NUM_THREADS))
        logits = torch.empty(len(x), self._vocabulary)
        self._kernel(
            x.float().clone().numpy(),
            *self._projections,
            self._norms,
            self._epsilon,
            self._head,
            keys.numpy(),
            values.numpy(),
            np.asarray(lengths, dtype=np.int64),
            given,
            self._n_head,
            logits.numpy(),
        )
        return logits


def _packed(linears: Sequence[nn.Linear], precision: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """One matrix per layer, scales (L, O), biases (L, O)."""
    weights, scales, biases = [], [], []
    for linear in linears:
        weight, n = linear.weight.detach(), linear.out_features
        scale = torch.ones(n)
        if precision == "int8":
            quantised = Int8Projection(weight, None)
            weight, scale = quantised.weight, quantised.scale.float()
        weights.append(weight)
        scales.append(scale)
        biases.append(torch.zeros(n) if linear.bias is None else linear.bias.detach())
    copies = large_pages.together(weights)
    return tuple(copy.numpy() for copy in copies), _stack(scales), _stack(biases)


def _stack(parts: Sequence[Tensor | np.ndarray]) -> np.ndarray:
    arrays = [p.detach().float().numpy() if isinstance(p, Tensor) else p for p in parts]
    return np.ascontiguousarray(np.stack(arrays))


@functools.cache
def kernel() -> Any:
    """The compiled step; the first call of each kind of weights compiles it or reads the cache.

    Raises `CannotCompile`.
    """
    if not can_compile():
        raise CannotCompile("numba with OpenMP is not installed")
    import numba

    try:
        from GPT_SoVITS.s1_gpt import compiled_kernel
    except RuntimeError as error:  # numba's only word for it
        raise CannotCompile(f"no place for numba's cache, set NUMBA_CACHE_DIR ({error})") from None
    config: Any = numba.config
    if config.THREADING_LAYER == "default":
        config.THREADING_LAYER = "threadsafe"
    threads = torch.get_num_threads()
    numba.get_num_threads()  # starts its threads and sets OpenMP's number, which is torch's as well
    torch.set_num_threads(threads)
    return compiled_kernel.step
