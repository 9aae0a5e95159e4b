"""Rows: what sampling remembers of every reply decoded together, on the device.

slot             0        1        2
seen     (V,)    ids that the repetition penalty counts
step             tokens drawn so far
token            the latest one
done             EOS was drawn: later tokens are not part of the reply
log_probability  sum over the reply's tokens and its EOS
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.batch import ColumnBatch, code_columns
from GPT_SoVITS.s1_gpt.sampling import (
    RowOptions,
    SamplingOptions,
    draw_noise,
    sample_rows,
    seen_tokens,
)


class Rows:
    """State of S slots; the first B of them are in use."""

    def __init__(self, vocabulary: int, slots: int, device: torch.device) -> None:
        self._vocabulary, self._device = vocabulary, device
        self.logits = torch.zeros(slots, vocabulary, device=device)
        self.seen = torch.zeros(slots, vocabulary, dtype=torch.bool, device=device)
        self.start = torch.zeros(slots, 4, dtype=torch.long, device=device)
        self.offset = torch.zeros(slots, 1, dtype=torch.long, device=device)
        self.step = torch.zeros(slots, 1, dtype=torch.long, device=device)
        self.token = torch.zeros(slots, dtype=torch.long, device=device)
        self.done = torch.zeros(slots, dtype=torch.bool, device=device)
        self.log_probability = torch.zeros(slots, device=device)
        self._options: list[SamplingOptions] = []
        self._generators: list[torch.Generator | None] = []
        self._drawn: list[int] = []
        self._limits = RowOptions.of([SamplingOptions()] * slots, device)
        self._stale = False
        """The limits are not yet those of the rows in use."""
        self._noise = torch.ones(slots, vocabulary, device=device)

    @property
    def changing(self) -> list[Tensor]:
        """What :meth:`advance` changes: tensors (B, …) of all slots."""
        state = [self.logits, self.seen, self.step, self.token, self.done, self.log_probability]
        return state

    def enter(
        self,
        slot: int,
        *,
        logits: Tensor,
        options: SamplingOptions,
        generator: torch.Generator | None,
        previous: Sequence[int] = (),
        start: Tensor,
        offset: int = 0,
    ) -> None:
        """A new reply in the first free slot: logits (V,) of its first token, start (4,).

        Raises `ValueError`.
        """
        if slot != len(self._options):
            raise ValueError(f"slot {slot} is not the first free one, {len(self._options)}")
        before = torch.tensor(list(previous), dtype=torch.long, device=self._device)
        self.logits[slot] = logits
        self.seen[slot] = seen_tokens(before, self._vocabulary)
        self.start[slot], self.offset[slot], self.step[slot] = start, offset, 0
        self.done[slot], self.log_probability[slot] = False, 0.0
        self._options.append(options)
        self._generators.append(generator)
        self._drawn.append(0)
        self._stale = True

    def sample(self, n: int) -> Tensor:
        """Draw a token for each of the first n rows -> (n,), -1 from a row's end on."""
        self.prepare(n)
        return self.advance(n)

    def prepare(self, n: int) -> None:
        """The host's part: random numbers and limits of the first n rows, in their places."""
        if self._stale:
            self._limits.put(RowOptions.of(self._options, self._device))
            self._stale = False
        draw_noise(self._generators, self._drawn, self._options, self._noise[:n])
        self._drawn = [drawn + 1 for drawn in self._drawn]

    def advance(self, n: int) -> Tensor:
        """The device's part, without a look at any value -> (n,), -1 from a row's end on."""
        logits, running = self.logits[:n], ~self.done[:n]
        token, stop = sample_rows(
            logits,
            self.seen[:n],
            self._limits.first(n),
            steps=self.step[:n],
            noise=self._noise[:n],
        )
        said = torch.where(stop, self._vocabulary - 1, token)
        likely = logits.float().log_softmax(-1).gather(1, said[:, None])[:, 0]
        self.log_probability[:n] += likely * running
        self.seen[:n].scatter_(1, token[:, None], True)
        self.done[:n] |= stop
        self.step[:n] += 1
        self.token[:n] = token.clamp(max=self._vocabulary - 2)
        return torch.where(self.done[:n], -1, token)

    def columns(self, n: int) -> ColumnBatch:
        """The latest tokens as columns (n, 1) to feed."""
        offset = self.offset[:n] + self.step[:n] - 1
        return code_columns(self.token[:n, None], self.start[:n], offset=offset)

    def move(self, source: int, target: int) -> None:
        """The last row takes the place of one that left; ``source`` is the last slot in use."""
        if source != target:
            fields = (self.logits, self.seen, self.start, self.offset, self.step)
            for field in (*fields, self.token, self.done, self.log_probability):
                field[target] = field[source]
        for values in (self._options, self._generators, self._drawn):
            values[target] = values[source]  # type: ignore[assignment]
            values.pop()
        self._stale = True
