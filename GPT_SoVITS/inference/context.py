"""What stage 1 has heard: finished turns as numbers, and the cache of their columns.

``DialogueContext`` builds its sequence with the very function the training set uses, and keeps the
keys
and values of whatever stays the same. In ``growing`` mode a finished turn is therefore encoded
once; in
``window`` mode the cache lasts while the window begins at the same turn.
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
from GPT_SoVITS.inference.prefix import CachedColumns, with_codes
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.generate import Generation, generate
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions


class DialogueContext:
    """The turns of one dialogue, oldest first, seen by the agent who answers."""

    def __init__(
        self,
        model: SemanticGPT,
        *,
        agent: str,
        layout: LayoutConfig,
        user: str | None = None,
        turns: Sequence[EncodedTurn] = (),
    ) -> None:
        self.model, self.layout, self.agent = model, layout, agent
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

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def add(self, turn: EncodedTurn) -> EncodedTurn:
        """Append a finished turn; it gets its index in the dialogue."""
        turn = replace(turn, turn=len(self._turns))
        self._turns.append(turn)
        return turn

    def prefix(self, phonemes: Sequence[int], *, bert: np.ndarray | None = None) -> Columns:
        """Everything before the response's first code: history and the response's text."""
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
        batch = collate([columns.part(done)]).to(self._device)
        with torch.inference_mode():
            return self.model.run(batch, mask=self.layout.mask, cache=cache).logits[0, -1]

    def generate(
        self,
        columns: Columns,
        options: SamplingOptions,
        generator: torch.Generator | None = None,
    ) -> Generation:
        """Stream the response's codes; call ``keep`` with it afterwards to reuse its columns."""
        cache, done = self._reuse(columns)
        self.computed_columns += len(columns) - done
        return generate(
            self.model,
            columns.part(done),
            options,
            generator,
            cache=cache,
            mask=self.layout.mask,
        )

    def keep(self, columns: Columns, generation: Generation) -> None:
        """Remember the cache of ``columns`` and of the codes fed behind them."""
        fed = max(0, generation.cache.length - len(columns))
        whole = with_codes(columns, generation.tokens[:fed])
        if generation.cache.length >= len(columns):
            self._cached = CachedColumns(whole, generation.cache)

    def warm(self) -> None:
        """Encode the history now, so that the next response only prefills its own text."""
        if not self._turns or self.layout.order != "interleaved":
            return
        columns = self.prefix([0])
        columns = columns.part(0, len(columns) - 1)
        if not len(columns):
            return
        cache, done = self._reuse(columns)
        batch = collate([columns.part(done)]).to(self._device)
        with torch.inference_mode():
            output = self.model.run(batch, mask=self.layout.mask, cache=cache)
        self.computed_columns += len(columns) - done
        assert output.cache is not None
        self._cached = CachedColumns(columns, output.cache)

    def fork(self) -> DialogueContext:
        """An independent continuation; finished columns are shared, never copied or changed."""
        other = DialogueContext(
            self.model, agent=self.agent, layout=self.layout, user=self._user, turns=self._turns
        )
        other._cached = self._cached
        return other

    def _reuse(self, columns: Columns):  # type: ignore[no-untyped-def]
        if self._cached is None:
            return self.model.new_cache(1, capacity=len(columns) + 512), 0
        return self._cached.reuse(columns)
