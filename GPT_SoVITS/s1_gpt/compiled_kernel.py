"""What :mod:`GPT_SoVITS.s1_gpt.compiled` runs; imported only where numba is wanted.

All arrays are float32 but int8 weights. Sums are taken in the order the vector unit likes, so that
a result differs from the framework's in the last bits; it does not depend on the number of threads
or of replies.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

FAST = {"reassoc", "contract", "nsz", "arcp"}
BLOCK = 16
HEAD = 32
"""Width of a head in every published network."""
LOG2_E = np.float32(1.4426950408889634)
# 2 ** f for |f| <= 1/2 by its series: the relative error stays below 2e-7
C1, C2, C3, C4, C5, C6 = (np.float32(math.log(2) ** k / math.factorial(k)) for k in range(1, 7))


@njit(nogil=True, parallel=True, fastmath=FAST, cache=True)
def project(weight, scale, bias, x, y, relu):  # type: ignore[no-untyped-def]
    """y (B, O) = x (B, I) weight (O, I)^T * scale (O,) + bias (O,); ReLU if asked."""
    n_out = len(weight)
    for block in prange((n_out + BLOCK - 1) // BLOCK):
        for i in range(block * BLOCK, min(n_out, (block + 1) * BLOCK)):
            for b in range(len(x)):
                total = dot(weight[i], x[b]) * scale[i] + bias[i]
                y[b, i] = max(total, np.float32(0)) if relu else total


@njit(nogil=True, fastmath=FAST, cache=True)
def dot(row, x):  # type: ignore[no-untyped-def]
    """row (N,) of any type, x (N,) -> float32"""
    total = np.float32(0)
    for j in range(len(x)):
        total += np.float32(row[j]) * x[j]
    return total


@njit(nogil=True, parallel=True, fastmath=FAST, cache=True)
def attend(qkv, keys, values, lengths, bias, y):  # type: ignore[no-untyped-def]
    """qkv (B, 3 D), keys and values (S, H, C, d) of one layer -> y (B, D); writes k and v first."""
    n_head, dim = keys.shape[1], keys.shape[3]
    scale = np.float32(1 / math.sqrt(dim))
    for pair in prange(len(qkv) * n_head):
        b, h = pair // n_head, pair % n_head
        n = lengths[b] + 1
        query = qkv[b, h * dim : (h + 1) * dim] * scale
        key, value = keys[b, h], values[b, h]
        for c in range(dim):
            key[n - 1, c] = qkv[b, (n_head + h) * dim + c]
            value[n - 1, c] = qkv[b, (2 * n_head + h) * dim + c]
        scores = np.empty(n, np.float32)
        if dim == HEAD:
            compare_head(key, query, scores)
        else:
            for j in range(n):
                scores[j] = dot(key[j], query)
        if bias.size:
            scores += bias[b, h, :n]
        total = exponentials(scores)
        mixed = np.zeros(dim, np.float32)
        if dim == HEAD:
            mix_head(scores, value, mixed)
        else:
            for j in range(n):
                for c in range(dim):
                    mixed[c] += scores[j] * value[j, c]
        for c in range(dim):
            y[b, h * dim + c] = mixed[c] / total


@njit(nogil=True, fastmath=FAST, cache=True)
def compare_head(key, query, scores):  # type: ignore[no-untyped-def]
    """scores (N,) = key (N, HEAD) query (HEAD,)"""
    for j in range(len(scores)):
        scores[j] = dot_head(key, j, query)  # type: ignore[call-arg]


@intrinsic
def dot_head(context: Any, key: Any, j: Any, query: Any) -> Any:
    """key (N, HEAD)[j] query (HEAD,) as one product of vectors and the sum over it.

    A loop over so few numbers is unrolled before it could become vectors, and takes six times as
    long.
    """

    def build(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), HEAD)

        def load(which: int, start: Any) -> Any:
            array = context.make_array(signature.args[which])(context, builder, given[which])
            place = builder.bitcast(builder.gep(array.data, [start]), vector.as_pointer())
            return builder.load(place, align=4)

        row = builder.mul(given[1], ir.Constant(given[1].type, HEAD))
        first = ir.Constant(given[1].type, 0)
        products = builder.fmul(load(0, row), load(2, first), flags=sorted(FAST))
        kind = ir.FunctionType(number, [number, vector])
        name = f"llvm.vector.reduce.fadd.v{HEAD}f32"
        total = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, name
        )
        return builder.call(total, [ir.Constant(number, 0.0), products], fastmath=sorted(FAST))

    return types.float32(key, j, query), build


@njit(nogil=True, fastmath=FAST, cache=True)
def mix_head(scores, value, mixed):  # type: ignore[no-untyped-def]
    """mixed (HEAD,) += scores (N,) value (N, HEAD), four columns at a time."""
    n = len(scores)
    for j in range(0, n - 3, 4):
        s0, s1, s2, s3 = scores[j], scores[j + 1], scores[j + 2], scores[j + 3]
        v0, v1, v2, v3 = value[j], value[j + 1], value[j + 2], value[j + 3]
        for c in range(HEAD):
            mixed[c] += (s0 * v0[c] + s1 * v1[c]) + (s2 * v2[c] + s3 * v3[c])
    for j in range(n - n % 4, n):
        for c in range(HEAD):
            mixed[c] += scores[j] * value[j, c]


@njit(nogil=True, fastmath=FAST, cache=True)
def exponentials(scores):  # type: ignore[no-untyped-def]
    """scores (N,) become exp(scores - their largest); -> their sum."""
    largest = scores[0]
    for j in range(len(scores)):
        largest = max(largest, scores[j])
    bits = np.empty(len(scores), np.int32)
    powers = bits.view(np.float32)
    for j in range(len(scores)):
        t = max((scores[j] - largest) * LOG2_E, np.float32(-126))
        whole = np.floor(t + np.float32(0.5))
        f = t - whole
        series = C5 + f * C6
        series = C3 + f * (C4 + f * series)
        scores[j] = np.float32(1) + f * (C1 + f * (C2 + f * series))
        bits[j] = (np.int32(whole) + np.int32(127)) << np.int32(23)
    total = np.float32(0)
    for j in range(len(scores)):
        scores[j] *= powers[j]
        total += scores[j]
    return total


@njit(nogil=True, fastmath=FAST, cache=True)
def add_and_norm(x, y, norm, epsilon):  # type: ignore[no-untyped-def]
    """x (B, D) becomes layer_norm(x + y) with norm = (weight, bias) (2, D)."""
    n = x.shape[1]
    for b in range(len(x)):
        mean = np.float32(0)
        for j in range(n):
            x[b, j] += y[b, j]
            mean += x[b, j]
        mean /= np.float32(n)
        spread = np.float32(0)
        for j in range(n):
            spread += (x[b, j] - mean) ** 2
        inverse = np.float32(1) / np.sqrt(spread / np.float32(n) + epsilon)
        for j in range(n):
            x[b, j] = (x[b, j] - mean) * inverse * norm[0, j] + norm[1, j]


@njit(nogil=True, cache=True)
def step(  # type: ignore[no-untyped-def]
    x, qkv, out, wide, narrow, norms, epsilon, head, keys, values, lengths, bias, n_head, logits
):
    """x (B, D), every projection as (weights per layer, scales, biases) -> logits (B, V)."""
    rows, dim = x.shape
    joint = np.empty((rows, 3 * dim), np.float32)
    mixed, back = np.empty((rows, dim), np.float32), np.empty((rows, dim), np.float32)
    hidden = np.empty((rows, 4 * dim), np.float32)
    for layer in range(len(norms)):
        project(qkv[0][layer], qkv[1][layer], qkv[2][layer], x, joint, False)
        attend(joint, keys[layer], values[layer], lengths, bias, mixed)
        project(out[0][layer], out[1][layer], out[2][layer], mixed, back, False)
        add_and_norm(x, back, norms[layer, 0], epsilon)
        project(wide[0][layer], wide[1][layer], wide[2][layer], x, hidden, True)
        project(narrow[0][layer], narrow[1][layer], narrow[2][layer], hidden, back, False)
        add_and_norm(x, back, norms[layer, 1], epsilon)
    project(head[0][0], head[1][0], head[2][0], x, logits, False)
