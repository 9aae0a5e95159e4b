"""All replies of a talker decoded together: one thread steps, sessions wait for their tokens.

    session a --submit--> |                 | --token--> session a renders and goes on
    session b --submit--> | BatchDecoder    | --token--> session b …
    client gone --cancel--> | one step of all | the row is gone before the next step

A session asks its `DialogueContext` for a stream of tokens; `BatchedContext` answers from here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import torch

from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Part, Request
from GPT_SoVITS.s1_gpt.generate import Generation
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.server.logs import event


class Cancelled(Exception):
    """Nobody waits for this reply any more."""


class DecodingFailed(RuntimeError):
    """The step all replies share failed; each of them gets this."""


class BatchedGeneration(Iterator[int]):
    """The tokens of one reply as the shared step brings them; what `Generation` is alone."""

    def __init__(self, cancel: Callable[[BatchedGeneration], None]) -> None:
        self._inbox: SimpleQueue[Part | BaseException] = SimpleQueue()
        self._ready: list[int] = []
        self._ended = False
        self._cancel = cancel
        self.number = -1
        self.tokens: list[int] = []
        self.cache: KVCache | None = None
        """Once the reply ended: prompt and tokens, as far as they were fed."""

    def put(self, item: Part | BaseException) -> None:
        """Called by the decoding thread."""
        self._inbox.put(item)

    def cancel(self) -> None:
        """From any thread: leave the batch before its next step, wake whoever waits here."""
        self._cancel(self)
        self._inbox.put(Cancelled())

    def __next__(self) -> int:
        while not self._ready:
            if self._ended:
                raise StopIteration
            item = self._inbox.get()
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            self._ready = list(item.tokens)
            self._ended, self.cache = item.finished, item.cache
        token = self._ready.pop(0)
        self.tokens.append(token)
        return token


class Decoding:
    """The decoding thread of one talker. Dies with `close`, not with a failed step."""

    def __init__(
        self,
        model: SemanticGPT,
        *,
        mask: str,
        slots: int,
        precision: str = "fp32",
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        """`on_step` hears of every step: its rows, and the tokens they got."""
        self._decoder = Decoder(model, precision=precision)
        self._mask, self._slots, self._on_step = mask, slots, on_step
        self._batch = self._new_batch()
        self._waiting: dict[int, BatchedGeneration] = {}
        self._wake, self._stopping = threading.Condition(), False
        self.steps = 0
        """Steps taken so far."""
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def generate(self, request: Request) -> BatchedGeneration:
        """Join the batch as soon as a slot is free."""
        generation = BatchedGeneration(self._cancel)
        with self._wake:
            generation.number = self._batch.submit(request)
            self._waiting[generation.number] = generation
            self._wake.notify()
        return generation

    def close(self) -> None:
        """Stop after the current step; whoever still waits gets an error."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(10)

    def _new_batch(self) -> BatchDecoder:
        return BatchDecoder(self._decoder, slots=self._slots, mask=self._mask, keep_caches=True)

    def _cancel(self, generation: BatchedGeneration) -> None:
        with self._wake:
            if self._waiting.pop(generation.number, None) is not None:
                self._batch.cancel(generation.number)
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and not self._batch.busy:
                    self._wake.wait()
                if self._stopping:
                    break
            try:
                self._step()
            except Exception as error:  # whatever it is, the next request must find a live thread
                event("decoding_failed", level=40, error=error)
                self._fail("the decoding step failed")
        self._fail("the server stops")

    def _step(self) -> None:
        parts = self._batch.step()
        self.steps += 1
        with self._wake:
            for part in parts:
                generation = self._waiting.get(part.request)
                if part.finished:
                    self._waiting.pop(part.request, None)
                if generation is not None:
                    generation.put(part)
        if self._on_step is not None:
            self._on_step(self._batch.running, sum(len(part.tokens) for part in parts))

    def _fail(self, reason: str) -> None:
        with self._wake:
            lost, self._waiting = self._waiting, {}
            self._batch = self._new_batch()
        for generation in lost.values():
            generation.put(DecodingFailed(reason))


class BatchedContext(DialogueContext):
    """Stage 1's view of a dialogue whose replies are decoded with everyone else's."""

    def __init__(
        self,
        model: SemanticGPT,
        *,
        decoding: Decoding,
        agent: str,
        layout: LayoutConfig,
        user: str | None = None,
        turns: Sequence[EncodedTurn] = (),
    ) -> None:
        super().__init__(model, agent=agent, layout=layout, user=user, turns=turns)
        self._decoding = decoding
        self.on_start: Callable[[BatchedGeneration], None] | None = None
        """Told of every reply that begins, so that it can be cancelled."""

    def generate(  # type: ignore[override]
        self,
        columns: Columns,
        options: SamplingOptions,
        generator: torch.Generator | None = None,
        **_: Any,
    ) -> BatchedGeneration:
        """As the base class, with the tokens of the shared step."""
        cache, done = self._reuse(columns)
        self.computed_columns += len(columns) - done
        request = Request(columns.part(done), options, generator, cache=cache)
        generation = self._decoding.generate(request)
        if self.on_start is not None:
            self.on_start(generation)
        return generation

    def keep(self, columns: Columns, generation: Generation | BatchedGeneration) -> None:
        """Remember a finished reply's cache; a cancelled one left none."""
        if generation.cache is not None:
            super().keep(columns, generation)  # type: ignore[arg-type]

    def forget(self) -> None:
        """Give the memory of the cache back; the next reply encodes its history again."""
        self._cached = None

    def fork(self) -> BatchedContext:
        """An independent continuation."""
        other = BatchedContext(
            self.model,
            decoding=self._decoding,
            agent=self.agent,
            layout=self.layout,
            user=self._user,
            turns=self._turns,
        )
        other._cached = self._cached
        return other


def batched(session: DialogueSession, decoding: Decoding) -> BatchedContext:
    """Let a session's replies be decoded by `decoding` -> its new context."""
    old = session.context
    context = BatchedContext(
        old.model, decoding=decoding, agent=old.agent, layout=old.layout, turns=old.turns
    )
    session._context = context
    return context
