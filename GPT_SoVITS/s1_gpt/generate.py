"""Speak token by token: a stream first, the whole reply is ``list(stream)``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, code_columns, collate
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, sample


class Generation(Iterator[int]):
    """The stream of one reply. ``tokens`` is what came so far, EOS excluded."""

    def __init__(
        self,
        model: SemanticGPT,
        prompt: Columns | ColumnBatch,
        options: SamplingOptions,
        generator: torch.Generator | None,
        *,
        cache: KVCache | None,
        mask: str,
        previous: Sequence[int],
        prompt_codes: int,
    ) -> None:
        device = model.head.weight.device
        batch = collate([prompt]) if isinstance(prompt, Columns) else prompt
        self._batch: ColumnBatch | None = batch.to(device)
        if batch.shape[0] != 1:
            raise ValueError("generate speaks one reply; use generate_batch for several")
        self._start = self._batch.response_start
        self._model, self._options, self._generator, self._mask = model, options, generator, mask
        self._previous = torch.tensor(list(previous), dtype=torch.long, device=device)
        self._offset = prompt_codes
        self._done = False
        self.tokens: list[int] = []
        self.prompt_cache: KVCache | None = None
        """The cache before the first token: fork from here."""
        self.cache = cache or model.new_cache(1, capacity=batch.shape[1] + 512)
        """Holds every column fed so far; after the end by EOS, every token of the reply."""

    @torch.inference_mode()
    def __next__(self) -> int:
        if self._done or len(self.tokens) >= self._options.max_tokens:
            self._done = True
            raise StopIteration
        if self._batch is None:
            self._feed_last()
        else:
            self._logits = self._run(self._batch)
            self.prompt_cache, self._batch = self.cache, None
        drawn = sample(
            self._logits,
            self._previous,
            self._options,
            step=len(self.tokens),
            generator=self._generator,
        )
        if drawn.stop:
            self._done = True
            raise StopIteration
        self.tokens.append(drawn.token)
        self._previous = torch.cat([self._previous, self._previous.new_tensor([drawn.token])])
        return drawn.token

    def _feed_last(self) -> None:
        ids = torch.tensor([self.tokens[-1:]], device=self._start.device)
        offset = self._offset + len(self.tokens) - 1
        self._logits = self._run(code_columns(ids, self._start, offset=offset))

    def _run(self, batch: ColumnBatch) -> Tensor:
        output = self._model.run(batch, mask=self._mask, cache=self.cache)
        assert output.cache is not None
        self.cache = output.cache
        return output.logits[0, -1]


def generate(
    model: SemanticGPT,
    prompt: Columns | ColumnBatch,
    options: SamplingOptions,
    generator: torch.Generator | None = None,
    *,
    cache: KVCache | None = None,
    mask: str = "block_causal",
    previous: Sequence[int] = (),
    prompt_codes: int = 0,
) -> Generation:
    """Columns up to the response's text (those ``cache`` does not hold) -> a stream of tokens.

    ``previous`` are ids the repetition penalty also counts. ``prompt_codes`` is the number of
    response codes that end the prompt already (continuing a reply).
    """
    return Generation(
        model,
        prompt,
        options,
        generator,
        cache=cache,
        mask=mask,
        previous=previous,
        prompt_codes=prompt_codes,
    )


@torch.inference_mode()
def generate_batch(
    model: SemanticGPT,
    prompts: Sequence[Columns],
    options: SamplingOptions,
    generators: Sequence[torch.Generator | None] | None = None,
    *,
    mask: str = "block_causal",
    previous: Sequence[Sequence[int]] | None = None,
    prompt_codes: int = 0,
) -> list[list[int]]:
    """Several replies at once; each row equals ``list(generate(…))`` with its own generator."""
    rows = len(prompts)
    batch = collate(prompts).to(model.head.weight.device)
    seeds = list(generators) if generators is not None else [None] * rows
    before = [batch.ids.new_tensor(list(ids)) for ids in (previous or [()] * rows)]
    replies: list[list[int]] = [[] for _ in prompts]
    alive = [True] * rows
    cache: KVCache | None = model.new_cache(rows, capacity=batch.shape[1] + 512)
    output = model.run(batch, mask=mask, cache=cache)
    logits = output.logits[torch.arange(rows), batch.lengths() - 1]  # (B, V)
    for step in range(options.max_tokens):
        tokens = []
        for row in range(rows):
            if alive[row]:
                drawn = sample(logits[row], before[row], options, step=step, generator=seeds[row])
                alive[row] = not drawn.stop
                if alive[row]:
                    replies[row].append(drawn.token)
                    before[row] = torch.cat([before[row], before[row].new_tensor([drawn.token])])
            tokens.append(replies[row][-1] if replies[row] else 0)
        if not any(alive) or step + 1 == options.max_tokens:
            break
        ids = batch.ids.new_tensor(tokens)[:, None]
        valid = torch.tensor(alive, device=ids.device)[:, None]
        columns = code_columns(ids, batch.response_start, offset=prompt_codes + step, valid=valid)
        output = model.run(columns, mask=mask, cache=output.cache)
        logits = output.logits[:, -1]
    return replies
