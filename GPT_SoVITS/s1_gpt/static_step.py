"""One step of all slots at fixed sizes: on CUDA a graph, replayed without the host in between.

    eager    ~330 kernel launches a token, each 5 us of the host's time
    graph    one launch: sampling, embedding, 24 layers, head; tokens stay on the device

A graph knows no lengths, so sizes are rounded up and what is beyond is masked:

    rows      4 of 3 in use    | a a a a . . . . |   the cache's columns up to a multiple of BLOCK;
    columns   8 of 5 written   | b b b b b . . . |   column j of row b is seen iff j <= length[b]
                               | c c . . . . . . |
                               | x . . . . . . . |   a slot nobody uses: computed, never read

(A published decoder attends to the columns not yet written; tests/s1_gpt/test_static_step.py fills
them with large numbers.) Random numbers are drawn outside, by each reply's own generator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_slots import BLOCK, SlotCache
from GPT_SoVITS.s1_gpt.sampling_rows import Rows

WARM_UP = 3


class StaticStep:
    """The step of one batch; holds its graphs, one per (rows, columns) it has come to."""

    def __init__(self, decoder: Decoder, cache: SlotCache, state: Rows) -> None:
        self._decoder, self._cache, self._state = decoder, cache, state
        self._graphs: dict[tuple[int, int], tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._storage = 0
        """Where the cache lay when the graphs were captured."""
        self.captured = 0
        """Graphs captured so far."""

    def __call__(self, rows: int, columns: int) -> Tensor:
        """Draw a token for the first ``rows`` slots and feed it; no slot has more than so many
        ``columns`` afterwards -> tokens (rows,), -1 from a reply's end on."""
        self._state.prepare(rows)
        size = min(self._cache.slots, 1 << (rows - 1).bit_length())
        width = min(self._cache.capacity, -(-columns // BLOCK) * BLOCK)
        if self._decoder.device.type != "cuda":
            return self._run(size, width)[:rows]
        if self._storage != self._cache.keys.data_ptr():
            self._graphs, self._storage = {}, self._cache.keys.data_ptr()
        if (size, width) not in self._graphs:
            self._graphs[size, width] = self._capture(size, width)
        graph, tokens = self._graphs[size, width]
        graph.replay()
        return tokens[:rows].clone()

    def _run(self, rows: int, columns: int) -> Tensor:
        """Everything on the device; no shape depends on a value."""
        state, cache, decoder = self._state, self._cache, self._decoder
        tokens = state.advance(rows)
        fed = state.columns(rows)
        at = cache.places(rows)
        cache.mark(fed, at)
        bias = cache.seen(rows, columns)
        turn_bias = decoder.turn_bias(fed.turn, cache.meta["turn"][:rows, :columns])
        if turn_bias is not None:
            bias = turn_bias + bias
        x = decoder.model.embed(fed)[:, 0]
        logits = decoder.logits(x, lambda i, k, v: cache.write(i, k, v, columns, at), bias)
        cache.length[:rows] += 1
        state.logits[:rows] = logits
        return tokens

    def _capture(self, rows: int, columns: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Run a few times beside the stream, undo, record."""
        changing = [*self._state.changing, self._cache.length]
        before = [tensor.clone() for tensor in changing]
        side = torch.cuda.Stream(self._decoder.device)
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._run(rows, columns)
        torch.cuda.current_stream().wait_stream(side)
        for tensor, value in zip(changing, before):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # others may go on
            tokens = self._run(rows, columns)
        self.captured += 1
        return graph, tokens
