"""Continuous batching: replies of different lengths decoded together, coming and going freely.

    two slots, requests a, b, c
    step      1  2  3  4  5  6
    slot 0    a  a  a  c  c  c         a ends after 3 tokens, c takes its slot at once
    slot 1    b  b  b  b  b  .

One step reads the weights once for all rows. Every row's tokens are those it would have alone.
Tokens stay on the device; the host looks at them every ``check_every`` steps (1 on the CPU) and
drops what a row drew after its end.

    batch = BatchDecoder(Decoder(model), slots=16)
    number = batch.submit(Request(columns, options, generator))
    while batch.busy:
        for part in batch.step():
            ...  # part.request, part.tokens, part.finished
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_slots import SlotCache
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s1_gpt.sampling_rows import Rows
from GPT_SoVITS.s1_gpt.static_step import StaticStep


@dataclass(frozen=True)
class Request:
    """One reply to decode."""

    prompt: Columns
    """Columns up to the response's text: those ``cache`` does not hold."""
    options: SamplingOptions
    generator: torch.Generator | None = None
    """Randomness of this reply alone; None is the device's own."""
    cache: KVCache | None = None
    """Finished columns before ``prompt`` (batch of one); stays as it is."""
    previous: Sequence[int] = ()
    """Ids the repetition penalty also counts."""
    prompt_codes: int = 0
    """Response codes that end the prompt already (continuing a reply)."""


@dataclass(frozen=True)
class Part:
    """New tokens of one request."""

    request: int
    """What :meth:`BatchDecoder.submit` returned."""
    tokens: tuple[int, ...]
    finished: bool
    ended: bool = False
    """Finished by EOS; False when cut at ``max_tokens``."""
    log_probability: float = 0.0
    """Of the whole reply with its EOS, once finished; without penalty, truncation, temperature."""
    cache: KVCache | None = None
    """Once finished and if wanted: prompt and every token of the reply (the last one when it ended
    by EOS), for the session to keep."""


@dataclass
class _Row:
    """What the host knows of one slot."""

    number: int
    request: Request
    columns: int
    """Columns written to the slot."""
    drawn: int = 0
    """Tokens the device has drawn."""
    given: int = 0
    """Tokens handed out."""


class BatchDecoder:
    """Decodes up to ``slots`` replies at a time.

    ``submit`` and ``cancel`` may be called from any thread; ``step`` from one thread at a time.
    Everything here belongs to this object; the decoder's weights are only read.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        slots: int = 16,
        mask: str = "block_causal",
        check_every: int | None = None,
        keep_caches: bool = False,
        static: bool | None = None,
    ) -> None:
        """``static``: steps of fixed sizes (:mod:`GPT_SoVITS.s1_gpt.static_step`), as CUDA graphs
        where there is CUDA; the default there."""
        if slots < 1:
            raise ValueError(f"slots is {slots}; it must be 1 or more")
        if check_every is not None and check_every < 1:
            raise ValueError(f"check_every is {check_every}; it must be 1 or more")
        self._decoder, self._mask, self._keep = decoder, mask, keep_caches
        self._check_every = check_every or (8 if decoder.device.type == "cuda" else 1)
        self._slots = slots
        self._waiting: deque[tuple[int, Request]] = deque()
        self._cancelled: set[int] = set()
        self._lock = threading.Lock()
        self._next = 0
        self._rows: list[_Row] = []
        self._cache = SlotCache(decoder.model, slots, capacity=256)
        self._state = Rows(decoder.model.config.vocab_size, slots, decoder.device)
        static = decoder.device.type == "cuda" if static is None else static
        self._static = StaticStep(decoder, self._cache, self._state) if static else None

    @property
    def busy(self) -> bool:
        """Whether any request waits or runs."""
        return bool(self._waiting or self._rows)

    @property
    def running(self) -> int:
        """Rows being decoded now."""
        return len(self._rows)

    @property
    def waiting(self) -> int:
        """Requests that have no slot yet."""
        return len(self._waiting)

    def submit(self, request: Request) -> int:
        """Queue a request -> its number in every :class:`Part`; first come, first served.

        Raises `ValueError`.
        """
        if not len(request.prompt):
            raise ValueError("the prompt has no columns; it must hold at least the response's text")
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._waiting.append((number, request))
        return number

    def cancel(self, number: int) -> None:
        """Stop a request; its slot is free at the next step and no further part comes."""
        with self._lock:
            self._cancelled.add(number)

    @torch.inference_mode()
    def step(self) -> list[Part]:
        """Let waiting requests in, draw a token (on CUDA a few) for every row, feed it."""
        self._leave_cancelled()
        while len(self._rows) < self._slots and (found := self._take()) is not None:
            self._enter(*found)
        if not self._rows:
            return []
        drawn = torch.stack([self._draw() for _ in range(self._check_every)], dim=1).tolist()
        parts = [self._part(slot, row, drawn[slot]) for slot, row in enumerate(self._rows)]
        for slot in reversed(range(len(parts))):
            if parts[slot].finished:
                self._leave(slot)
        return [part for part in parts if part.tokens or part.finished]

    def stream(self, requests: Iterable[Request]) -> Iterator[Part]:
        """All requests, taken as slots get free, until done; numbers count on from ``submit``'s."""
        source = iter(requests)
        exhausted = False
        while True:
            while not exhausted and self.running + self.waiting < self._slots:
                request = next(source, None)
                exhausted = request is None
                if request is not None:
                    self.submit(request)
            if exhausted and not self.busy:
                return
            yield from self.step()

    def _take(self) -> tuple[int, Request] | None:
        with self._lock:
            return self._waiting.popleft() if self._waiting else None

    def _enter(self, number: int, request: Request) -> None:
        """Encode a prompt, put its columns into the next free slot."""
        slot, decoder = len(self._rows), self._decoder
        batch = collate([request.prompt]).to(decoder.device)
        cache = request.cache or decoder.model.new_cache(1, capacity=batch.shape[1])
        output = decoder.prefill(batch, cache, mask=self._mask)
        assert output.cache is not None
        room = request.options.max_tokens + self._check_every
        self._cache.load(slot, output.cache, room=room)
        self._state.enter(
            slot,
            logits=output.logits[0, -1],
            options=request.options,
            generator=request.generator,
            previous=request.previous,
            start=batch.response_start[0],
            offset=request.prompt_codes,
        )
        self._rows.append(_Row(number, request, output.cache.length))

    def _draw(self) -> Tensor:
        """One token per row, fed back for the next logits -> tokens (B,), -1 from the end on."""
        state, cache, n_rows = self._state, self._cache, len(self._rows)
        for row in self._rows:
            row.columns += 1
            row.drawn += 1
        if self._static is not None:
            return self._static(n_rows, max(row.columns for row in self._rows))
        tokens = state.sample(n_rows)
        columns = state.columns(n_rows)
        if self._nobody_goes_on():
            return tokens
        n = max(row.columns for row in self._rows)
        at = cache.places(n_rows)
        cache.mark(columns, at)
        turn_bias = self._decoder.turn_bias(columns.turn, cache.meta["turn"][:n_rows, :n])
        x = self._decoder.embed(columns)
        lengths = [row.columns - 1 for row in self._rows]
        logits = self._decoder.slot_logits(x, cache.keys, cache.values, lengths, turn_bias)
        if logits is None:
            bias = cache.seen(n_rows, n)
            bias = bias if turn_bias is None else turn_bias + bias
            logits = self._decoder.logits(x, lambda i, k, v: cache.write(i, k, v, n, at), bias)
        cache.length[:n_rows] += 1
        state.logits[:n_rows] = logits
        return tokens

    def _nobody_goes_on(self) -> bool:
        """Every row has its longest reply: the logits of a next token are not needed."""
        return all(row.drawn >= row.request.options.max_tokens for row in self._rows)

    def _part(self, slot: int, row: _Row, drawn: list[int]) -> Part:
        """What of ``drawn`` belongs to the row's reply."""
        left = row.request.options.max_tokens - row.given
        ended = -1 in drawn[:left]
        tokens = drawn[: drawn.index(-1)] if ended else drawn[:left]
        row.given += len(tokens)
        if not ended and row.given < row.request.options.max_tokens:
            return Part(row.number, tuple(tokens), False)
        columns = row.columns - row.drawn + row.given - (not ended)
        kept = self._cache.copy(slot, columns) if self._keep else None
        likely = float(self._state.log_probability[slot])
        return Part(row.number, tuple(tokens), True, ended, likely, kept)

    def _leave(self, slot: int) -> None:
        """Give a slot away; the last row moves in."""
        last = len(self._rows) - 1
        self._cache.move(last, slot, self._rows[last].columns)
        self._state.move(last, slot)
        self._rows[slot] = self._rows[last]
        self._rows.pop()

    def _leave_cancelled(self) -> None:
        with self._lock:
            gone, self._cancelled = self._cancelled, set()
            self._waiting = deque(one for one in self._waiting if one[0] not in gone)
        for slot in reversed(range(len(self._rows))):
            if self._rows[slot].number in gone:
                self._leave(slot)
