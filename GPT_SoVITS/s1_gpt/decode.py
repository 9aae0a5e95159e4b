"""One more response code per row: the network as decoding runs it, at a chosen precision.

A response code sees every finished column and itself, so a step needs no mask rule; it is the
model's own forward for one column (`test_decode.py` proves it) with fewer and faster operations.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.compiled import MOST_ROWS, SMALLEST_WIDTH, CannotCompile, CompiledStep
from GPT_SoVITS.s1_gpt.kv_cache import META, KVCache
from GPT_SoVITS.s1_gpt.layer import Layer
from GPT_SoVITS.s1_gpt.model import S1Output, SemanticGPT
from GPT_SoVITS.s1_gpt.projections import (
    Projection,
    SharedProjection,
    choose_precision,
    projection,
)

log = logging.getLogger(__name__)

Write = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(layer, new keys, new values) each (B, H, 1, d) -> all keys and values (B, H, Nk, d)"""


@dataclass(frozen=True)
class _DecodeLayer:
    """A layer's projections and norms."""

    qkv: Projection
    out: Projection
    feed_forward_in: Projection
    feed_forward_out: Projection
    norm1: nn.LayerNorm
    norm2: nn.LayerNorm

    @classmethod
    def of(cls, layer: Layer, precision: str | None) -> _DecodeLayer:
        """A copy of the layer's weights for decoding; without a precision the layer's own."""

        def part(linear: nn.Linear, *, relu: bool = False) -> Projection:
            if precision is None:
                return SharedProjection(linear, relu=relu)
            return projection(linear, precision, relu=relu)

        return cls(
            part(layer.attention.qkv),
            part(layer.attention.out),
            part(layer.feed_forward_in, relu=True),
            part(layer.feed_forward_out),
            layer.norm1,
            layer.norm2,
        )


class Decoder:
    """A network prepared for decoding; holds weights only, so that threads may share it.

    ``precision`` is auto, fp32, bf16 or int8 (CPU); None uses the network's own weights as they
    are, without a copy, for a reply or two. On a CPU the prompt is encoded at fp32, and the output
    layer stays fp32: it is 3 % of the bytes and decides the token. On CUDA bf16 is the whole
    network, its cache included.

    ``compiled`` runs the step of a few replies in code compiled for this CPU
    (:mod:`GPT_SoVITS.s1_gpt.compiled`): by default where a precision of fp32 or int8 was asked for,
    the network is not tiny and numba is there; True insists.
    """

    def __init__(
        self,
        model: SemanticGPT,
        *,
        precision: str | None = None,
        compiled: bool | None = None,
    ) -> None:
        self.device = model.head.weight.device
        self.precision, copied = "fp32", None
        if precision is not None:
            width = model.config.hidden_dim
            self.precision = choose_precision(precision, device=self.device, width=width)
            copied = self.precision
            if self.device.type != "cpu":
                model = copy.deepcopy(model).bfloat16() if copied == "bf16" else model
                copied = None
        self.model = model
        layers = [layer for layer in model.layers if isinstance(layer, Layer)]
        self._layers = [_DecodeLayer.of(layer, copied) for layer in layers]
        self._head = (
            SharedProjection(model.head) if copied is None else projection(model.head, "fp32")
        )
        self._n_head = model.config.n_head
        self._compiled = self._compile(compiled, copied)

    def _compile(self, wanted: bool | None, copied: str | None) -> CompiledStep | None:
        """The compiled step where it is wanted and possible; an error where it was insisted on."""
        fits = copied in ("fp32", "int8")
        if wanted is None and not (fits and self.model.config.hidden_dim >= SMALLEST_WIDTH):
            return None
        if wanted is False:
            return None
        try:
            if not fits:
                raise CannotCompile(f"it is for fp32 and int8 on a CPU, not {self.device.type}")
            return CompiledStep(self.model, self.precision)
        except CannotCompile as error:
            if wanted:
                raise
            log.warning("decoding is not compiled: %s", error)
            return None

    @property
    def bytes_per_column(self) -> int:
        """Keys and values of one column."""
        c, head = self.model.config, self.model.head.weight
        return 2 * c.n_layer * c.hidden_dim * head.element_size()

    @torch.inference_mode()
    def prefill(self, batch: ColumnBatch, cache: KVCache, *, mask: str) -> S1Output:
        """Prompt columns (1, N) behind ``cache`` -> logits and the longer cache; always fp32.

        Raises `ValueError`.
        """
        if bool((batch.hidden & batch.valid).any()):
            raise ValueError("hidden columns are for training; leave those segments out instead")
        return self.model.run(batch, mask=mask, cache=cache)

    @torch.inference_mode()
    def step(self, columns: ColumnBatch, cache: KVCache) -> tuple[Tensor, KVCache]:
        """One response code (1, 1) behind a cache without padding -> logits (1, V), new cache."""
        past, new = cache.length, cache.reserve(1)
        new.write_meta(past, **{name: getattr(columns, name) for name in META})

        def write(layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
            return new.write(layer, past, keys, values)

        bias = self.turn_bias(columns.turn, new.meta("turn"))
        x = self.embed(columns)
        if self._compiled is not None:
            buffer = new.buffer
            return self._compiled.logits(x, buffer.keys, buffer.values, [past], bias), new
        return self.logits(x, write, bias), new

    def embed(self, columns: ColumnBatch) -> Tensor:
        """Response codes (B, 1) -> (B, D), what enters the first layer."""
        if self._compiled is not None:
            return self._compiled.embed(columns)
        return self.model.embed(columns)[:, 0]

    def slot_logits(
        self, x: Tensor, keys: Tensor, values: Tensor, lengths: Sequence[int], bias: Tensor | None
    ) -> Tensor | None:
        """Embedded columns (B, D) of the first B slots of (L, S, H, C, d), each behind its own
        ``lengths`` columns -> (B, V); None where :meth:`logits` has to do it."""
        if self._compiled is None or len(x) > MOST_ROWS:
            return None
        return self._compiled.logits(x, keys, values, lengths, bias)

    def turn_bias(self, turn: Tensor, key_turn: Tensor) -> Tensor | None:
        """turn (B, 1), key_turn (B, Nk) -> attention bias (B, H, 1, Nk); None without one."""
        table = self.model.turn_bias
        if table is None:
            return None
        distance = (turn - key_turn).clamp(0, len(table) - 1)
        return table[distance].transpose(1, 2)[:, :, None]  # (B, H, 1, Nk)

    def logits(self, x: Tensor, write: Write, bias: Tensor | None) -> Tensor:
        """Embedded columns (B, D); ``bias`` (B, H or 1, 1, Nk) is added to scores -> (B, V)."""
        for index, layer in enumerate(self._layers):
            q, k, v = layer.qkv(x).view(len(x), 3, self._n_head, 1, -1).unbind(1)  # (B, H, 1, d)
            y = _attend(q, *write(index, k, v), bias)
            x = _norm(x + layer.out(y.reshape(x.shape)), layer.norm1)
            y = layer.feed_forward_out(layer.feed_forward_in(x))
            x = _norm(x + y, layer.norm2)
        return self._head(x)


def _attend(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """q (B, H, 1, d), keys and values (B, H, Nk, d) -> (B H, 1, d); without copying the cache."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, keys, values, attn_mask=bias).flatten(0, 1)
    rows, scale = q.shape[0] * q.shape[1], 1 / math.sqrt(q.shape[-1])
    k, v = keys.flatten(0, 1), values.flatten(0, 1)  # (B H, Nk, d)
    if bias is None:
        scores = torch.bmm(q.reshape(rows, 1, -1) * scale, k.transpose(1, 2))
    else:
        full = bias.expand(*q.shape[:2], 1, -1).reshape(rows, 1, -1)
        scores = torch.baddbmm(full, q.reshape(rows, 1, -1), k.transpose(1, 2), alpha=scale)
    return torch.bmm(scores.softmax(-1), v)


def _norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
