"""All replies of a talker decoded together: one thread steps, sessions wait for their tokens.

session a --submit-->  |                | --tokens--> session a renders and goes on
session b --submit-->  |  BatchDecoder  | --tokens--> session b …
cancel.set() ------->  | a step for all | the row leaves before the next step

decoding = SharedDecoding(talker.decoder("fp32"), mask=talker.layout.mask, slots=8)
session = talker.session(decoding=decoding)      # everything else stays as it is
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from queue import SimpleQueue

from GPT_SoVITS.inference.cancel import Cancel, ReplyCancelled
from GPT_SoVITS.inference.processors import Processors
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Part, Request
from GPT_SoVITS.s1_gpt.kv_cache import KVCache

log = logging.getLogger(__name__)
JOIN_SECONDS = 10.0
AT_ONCE = 4
"""Tokens handed over together, to wake whoever waits less often; a first chunk needs 16."""
STANDS_BACK = 2.0
"""Times a step's own processor time that decoding waits while every processor renders."""
OnStep = Callable[[int, int, float], None]
"""Hears of every step: its rows, the tokens they got, processor seconds of this thread."""


class DecodingFailed(RuntimeError):
    """The step all replies share failed; each of them gets this."""


class SharedGeneration(Iterator[int]):
    """The tokens of one reply as the shared step brings them; what `Generation` is alone."""

    def __init__(self, cancel: Cancel | None) -> None:
        self._inbox: SimpleQueue[Part | BaseException] = SimpleQueue()
        self._held: list[Part] = []
        self._ready: list[int] = []
        self._ended = self._closed = False
        self._cancel = cancel
        self.tokens: list[int] = []
        self.cache: KVCache | None = None
        """Once the reply ended: prompt and tokens, as far as they were fed."""
        self._last: Part | None = None

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for further tokens."""
        return self._closed or (self._cancel is not None and self._cancel.is_set())

    def put(self, item: Part | BaseException) -> None:
        """Called by the decoding thread."""
        if isinstance(item, BaseException):
            self._inbox.put(item)
            return
        self._held.append(item)
        tokens = tuple(token for part in self._held for token in part.tokens)
        if item.finished or len(tokens) >= AT_ONCE:
            self._inbox.put(replace(item, tokens=tokens))
            self._held.clear()

    def close(self) -> None:
        """From any thread: leave the batch before its next step."""
        self._closed = True

    def finish(self, number: int) -> Part:
        """Wait for all of it: one finished part with every token."""
        for _ in self:
            pass
        assert self._last is not None
        return replace(self._last, request=number, tokens=tuple(self.tokens))

    def __next__(self) -> int:
        while not self._ready:
            if self._ended:
                raise StopIteration
            item = self._inbox.get()
            if isinstance(item, BaseException):
                self._ended = True
                raise item
            self._ready = list(reversed(item.tokens))
            self._ended, self.cache, self._last = item.finished, item.cache, item
        token = self._ready.pop()
        self.tokens.append(token)
        return token


class SharedDecoding:
    """One talker's decoding thread; a failed step costs the replies in it, not the thread."""

    def __init__(
        self,
        decoder: Decoder,
        *,
        mask: str = "block_causal",
        slots: int = 16,
        renders: int | None = None,
        stands_back: bool = False,
        on_step: OnStep | None = None,
    ) -> None:
        """``renders``: sounds made at once; default: as many as there are processors.

        With ``stands_back`` a step waits a little while that many are being made: sounds are ready
        sooner, make room for waiting replies, and a step is shared by more of them.
        """
        self.rendering = Processors(renders or (os.cpu_count() or 2))
        """Held while stage 2 computes, so that decoding is not held up."""
        self.decoder, self.mask = decoder, mask
        self._slots, self._on_step, self._stands_back = slots, on_step, stands_back
        self._batch = self._new_batch()
        self._replies: dict[int, SharedGeneration] = {}
        self._wake, self._stopping = threading.Condition(), False
        self.steps = 0
        """Steps so far that gave tokens."""
        self._step_seconds = 0.0  # processor time of the latest one
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def generate(self, request: Request, cancel: Cancel | None = None) -> SharedGeneration:
        """Join the batch as soon as a slot is free; setting ``cancel`` leaves it again.

        Raises `DecodingFailed`.
        """
        generation = SharedGeneration(cancel)
        with self._wake:
            if self._stopping:
                raise DecodingFailed("decoding has stopped")
            self._replies[self._batch.submit(request)] = generation
            self._wake.notify()
        return generation

    def close(self) -> None:
        """Stop after the current step; whoever still waits gets :class:`DecodingFailed`."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(JOIN_SECONDS)

    def _new_batch(self) -> BatchDecoder:
        return BatchDecoder(self.decoder, slots=self._slots, mask=self.mask, keep_caches=True)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._stopping and not self._batch.busy:
                    self._wake.wait()
                if self._stopping:
                    break
                self._drop_unwanted()
            try:
                self._step()
            except Exception:  # whatever it is, the next request must find a live thread
                log.exception("a decoding step failed")
                self._fail("the decoding step failed")
            if self._stands_back:
                self.rendering.wait_for_one(STANDS_BACK * self._step_seconds)
        self._fail("decoding has stopped")

    def _step(self) -> None:
        started = time.thread_time()
        parts = self._batch.step()
        self.steps += bool(parts)
        with self._wake:
            for part in parts:
                generation = self._replies.get(part.request)
                if part.finished:
                    self._replies.pop(part.request, None)
                if generation is not None:
                    generation.put(part)
        self._step_seconds = time.thread_time() - started
        if self._on_step is not None and parts:
            tokens = sum(len(part.tokens) for part in parts)
            self._on_step(len(parts), tokens, self._step_seconds)

    def _drop_unwanted(self) -> None:
        """With the lock held."""
        for number in [n for n, reply in self._replies.items() if reply.unwanted]:
            self._batch.cancel(number)
            self._replies.pop(number).put(ReplyCancelled("the reply was cancelled"))

    def _fail(self, reason: str) -> None:
        with self._wake:
            lost, self._replies = self._replies, {}
            self._batch = self._new_batch()
        for generation in lost.values():
            generation.put(DecodingFailed(reason))
