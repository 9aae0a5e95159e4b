"""What stage 1 has heard: finished turns as numbers, and the cache of their columns.

``DialogueContext`` builds its sequence with the very function the training set uses, and keeps the
keys and values of whatever stays the same. In ``growing`` mode a finished turn is therefore encoded
once; in ``window`` mode the cache lasts while the window begins at the same turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.dialogue.history import select_history
from GPT_SoVITS.dialogue.layout import (
    Columns,
    EncodedTurn,
    LayoutConfig,
    build_sequence,
    user_of,
)
from GPT_SoVITS.inference.batching import SharedDecoding, SharedGeneration
from GPT_SoVITS.inference.cancel import Cancel, stop_if
from GPT_SoVITS.inference.prefix import CachedColumns, with_codes
from GPT_SoVITS.inference.prefix_cache import PrefixCache
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Part, Request
from GPT_SoVITS.s1_gpt.generate import Generation, generate
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.model import S1Output, SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions


class DialogueContext:
    """The turns of one dialogue, oldest first, seen by the agent who answers."""

    def __init__(
        self,
        model: SemanticGPT | Decoder,
        *,
        agent: str,
        layout: LayoutConfig,
        user: str | None = None,
        turns: Sequence[EncodedTurn] = (),
        shared: PrefixCache | None = None,
        decoding: SharedDecoding | None = None,
    ) -> None:
        """``decoding``: replies are decoded in its batch; it must hold the same decoder."""
        self.decoder = model if isinstance(model, Decoder) else Decoder(model)
        self.layout, self.agent = layout, agent
        self._shared, self.decoding = shared, decoding
        self._user = user
        self._turns: list[EncodedTurn] = []
        self._cached: CachedColumns | None = None
        self.computed_columns = 0
        """Columns run through the network so far, generated ones excluded."""
        for turn in turns:
            self.add(turn)

    @property
    def turns(self) -> tuple[EncodedTurn, ...]:
        """All finished turns, also those that left the sequence."""
        return tuple(self._turns)

    @property
    def user(self) -> str | None:
        """The other of two: given, or the first speaker who is not the agent."""
        if self._user is not None:
            return self._user
        return user_of([turn.speaker for turn in self._turns], self.agent)

    def add(self, turn: EncodedTurn) -> EncodedTurn:
        """Append a finished turn; it gets its index in the dialogue."""
        turn = replace(turn, turn=len(self._turns))
        self._turns.append(turn)
        return turn

    def replace(self, index: int, turn: EncodedTurn) -> EncodedTurn:
        """Another content for a finished turn; columns before it stay computed, none after."""
        turn = replace(turn, turn=self._turns[index].turn)
        self._turns[index] = turn
        return turn

    def prefix(self, phonemes: Sequence[int], *, bert: np.ndarray | None = None) -> Columns:
        """Columns (N,) before the response's first code: history and the response's text."""
        index = len(self._turns)
        response = EncodedTurn(
            speaker=self.agent,
            phonemes=np.asarray(phonemes, dtype=np.int64),
            codes=np.zeros(0, dtype=np.int64),
            bert=bert,
            turn=index,
        )
        history = [self._turns[i] for i in select_history(self._turns, index, self.layout)]
        return build_sequence(
            history, response, self.layout, include_response_codes=False, user=self.user
        ).columns()

    def logits(self, columns: Columns) -> Tensor:
        """(V,) at the last column, computed with the cache as before a generation."""
        cache, done = self._reuse(columns)
        return self._encode(columns.part(done), cache).logits[0, -1]

    def generate(
        self,
        columns: Columns,
        options: SamplingOptions,
        generator: torch.Generator | None = None,
        *,
        cancel: Cancel | None = None,
        said: Sequence[int] = (),
    ) -> Generation | SharedGeneration:
        """Stream the response's codes; call ``keep`` with it afterwards to reuse its columns.

        ``cancel`` frees the reply's place in a shared batch. Codes already ``said`` are gone on
        from; they count for the options' limits.
        """
        if said:
            columns = with_codes(columns, list(said))
            options = replace(
                options,
                eos_guard=max(0, options.eos_guard - len(said)),
                max_tokens=max(1, options.max_tokens - len(said)),
            )
        cache, done = self._reuse(columns)
        self.computed_columns += len(columns) - done
        if self.decoding is not None:
            request = Request(
                columns.part(done),
                options,
                generator,
                cache=cache,
                previous=said,
                prompt_codes=len(said),
            )
            return self.decoding.generate(request, cancel)
        return generate(
            self.decoder,
            columns.part(done),
            options,
            generator,
            cache=cache,
            mask=self.layout.mask,
            previous=said,
            prompt_codes=len(said),
        )

    def complete(
        self,
        columns: Columns,
        options: SamplingOptions,
        generators: Sequence[torch.Generator | None],
        *,
        cancel: Cancel | None = None,
    ) -> list[Part]:
        """Whole replies, decoded together: one finished part per generator, in their order."""
        requests = self.requests(columns, options, generators)
        if self.decoding is not None:
            started = [self.decoding.generate(request, cancel) for request in requests]
            return [one.finish(number) for number, one in enumerate(started)]
        batch = BatchDecoder(
            self.decoder, slots=len(requests), mask=self.layout.mask, keep_caches=True
        )
        said: list[list[int]] = [[] for _ in requests]
        done: dict[int, Part] = {}
        for request in requests:
            batch.submit(request)
        while batch.busy:
            stop_if(cancel)
            for part in batch.step():
                said[part.request] += part.tokens
                if part.finished:
                    done[part.request] = replace(part, tokens=tuple(said[part.request]))
        return [done[number] for number in range(len(requests))]

    def requests(
        self,
        columns: Columns,
        options: SamplingOptions,
        generators: Sequence[torch.Generator | None],
    ) -> list[Request]:
        """One request of the response per generator, for a :class:`BatchDecoder`.

        Its history is encoded once, here; hand the finished part's cache to ``keep_cache``.
        """
        self.encode(columns.part(0, self._history_length(columns)))
        cache, done = self._reuse(columns)
        prompt = columns.part(done)
        self.computed_columns += len(prompt) * len(generators)
        return [Request(prompt, options, generator, cache=cache) for generator in generators]

    def keep(self, columns: Columns, generation: Generation | SharedGeneration) -> None:
        """Remember the cache of ``columns`` and of the codes fed behind them."""
        if generation.cache is not None:  # a reply that left a shared batch early has none
            self.keep_cache(columns, generation.tokens, generation.cache)

    def forget(self) -> None:
        """Give the cache's memory back; the next reply encodes its history again."""
        self._cached = None

    def keep_cache(self, columns: Columns, tokens: Sequence[int], cache: KVCache) -> None:
        """Remember a cache that holds ``columns`` and of ``tokens`` as many as its length says."""
        fed = cache.length - len(columns)
        if fed >= 0:
            self._remember(CachedColumns(with_codes(columns, list(tokens[:fed])), cache))

    def warm(self) -> None:
        """Encode the history now, so that the next response only prefills its own text."""
        if not self._turns or self.layout.order != "interleaved":
            return
        columns = self.prefix([0])
        self.encode(columns.part(0, len(columns) - 1))

    def encode(self, columns: Columns) -> None:
        """Run finished columns through the network, as far as that was not done, and remember."""
        if not len(columns) or (self._cached is not None and self._cached.holds(columns)):
            return
        found = None if self._shared is None else self._shared.find(columns)
        if found is not None and found.holds(columns):
            self._cached = found
            return
        cache, done = self._reuse(columns)
        output = self._encode(columns.part(done), cache)
        self.computed_columns += len(columns) - done
        assert output.cache is not None
        self._remember(CachedColumns(columns, output.cache))

    def fork(self, *, private: bool = False) -> DialogueContext:
        """An independent continuation; finished columns are shared, never copied or changed.

        What a ``private`` one encodes is not offered to other dialogues.
        """
        other = DialogueContext(
            self.decoder,
            agent=self.agent,
            layout=self.layout,
            user=self._user,
            turns=self._turns,
            shared=None if private else self._shared,
            decoding=self.decoding,
        )
        other._cached = self._cached
        return other

    def _encode(self, columns: Columns, cache: KVCache) -> S1Output:
        batch = collate([columns]).to(self.decoder.device)
        return self.decoder.prefill(batch, cache, mask=self.layout.mask)

    def _remember(self, cached: CachedColumns) -> None:
        self._cached = cached
        if self._shared is not None:
            self._shared.put(cached)

    def _history_length(self, columns: Columns) -> int:
        """Columns before the response's text; 0 where it shares a segment with the history."""
        last = columns.segment[-1]
        return int(np.searchsorted(columns.segment, last)) if columns.is_text[-1] else 0

    def _reuse(self, columns: Columns) -> tuple[KVCache, int]:
        """The cache that shares most with ``columns``, cut to that, and how many columns it is."""
        own = None if self._cached is None else self._cached.reuse(columns)
        found = None if self._shared is None else self._shared.find(columns)
        if found is not None and (own is None or own[1] < len(columns) - 1):
            other = found.reuse(columns)
            own = other if own is None or other[1] > own[1] else own
        if own is None:
            return self.decoder.model.new_cache(1, capacity=len(columns) + 512), 0
        return own
