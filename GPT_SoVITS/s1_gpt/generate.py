"""Decoding: prompt columns in, semantic tokens out, one by one or many replies at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Request
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s1_gpt.sampling_rows import Rows


class Generation(Iterator[int]):
    """Iterate it for the tokens; it can be left at any point."""

    def __init__(
        self,
        model: SemanticGPT | Decoder,
        prompt: Columns | ColumnBatch,
        options: SamplingOptions,
        generator: torch.Generator | None,
        *,
        cache: KVCache | None,
        mask: str,
        previous: Sequence[int],
        prompt_codes: int,
    ) -> None:
        self._decoder = model if isinstance(model, Decoder) else Decoder(model)
        network, device = self._decoder.model, self._decoder.device
        batch = collate([prompt]) if isinstance(prompt, Columns) else prompt
        if batch.shape[0] != 1:
            raise ValueError("generate speaks one reply; use generate_batch for several")
        self._batch, self._mask, self._options = batch.to(device), mask, options
        self._row = Rows(network.config.vocab_size, 1, device)
        self._enter = {
            "options": options,
            "generator": generator,
            "previous": previous,
            "start": self._batch.response_start[0],
            "offset": prompt_codes,
        }
        self._done = False
        self.tokens: list[int] = []
        self.ended = False
        """The reply came to its end by itself (EOS), not by ``max_tokens``."""
        self.prompt_cache: KVCache | None = None
        """The cache before the first token: fork from here."""
        self.cache = cache or network.new_cache(1, capacity=batch.shape[1] + 512)
        """Holds every column fed so far; after the end by EOS, every token of the reply."""

    @property
    def log_probability(self) -> float:
        """Sum over the tokens so far, and EOS; without penalty, truncation and temperature."""
        return float(self._row.log_probability[0])

    def close(self) -> None:
        """No further token is wanted."""
        self._done = True

    @torch.inference_mode()
    def __next__(self) -> int:
        if self._done or len(self.tokens) >= self._options.max_tokens:
            self._done = True
            raise StopIteration
        self._feed()
        token = int(self._row.sample(1))
        if token < 0:
            self._done = self.ended = True
            raise StopIteration
        self.tokens.append(token)
        return token

    def _feed(self) -> None:
        """The prompt at first, then the latest token: logits of the next one."""
        if self.prompt_cache is not None:
            logits, self.cache = self._decoder.step(self._row.columns(1), self.cache)
            self._row.logits.copy_(logits)
            return
        output = self._decoder.prefill(self._batch, self.cache, mask=self._mask)
        assert output.cache is not None
        self.cache = self.prompt_cache = output.cache
        self._row.enter(0, logits=output.logits[0, -1], **self._enter)  # type: ignore[arg-type]


def generate(
    model: SemanticGPT | Decoder,
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
    response codes that end the prompt already (continuing a reply). A :class:`Decoder` in place of
    the model speaks at that decoder's precision.
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


def generate_batch(
    model: SemanticGPT | Decoder,
    prompts: Sequence[Columns],
    options: SamplingOptions,
    generators: Sequence[torch.Generator | None] | None = None,
    *,
    mask: str = "block_causal",
    previous: Sequence[Sequence[int]] | None = None,
    prompt_codes: int = 0,
    slots: int = 16,
) -> list[list[int]]:
    """Several replies at once; each row equals ``list(generate(…))`` with its own generator."""
    decoder = model if isinstance(model, Decoder) else Decoder(model)
    seeds = generators or [None] * len(prompts)
    before = previous or [()] * len(prompts)
    requests = [
        Request(prompt, options, seed, previous=ids, prompt_codes=prompt_codes)
        for prompt, seed, ids in zip(prompts, seeds, before)
    ]
    replies: list[list[int]] = [[] for _ in prompts]
    for part in BatchDecoder(decoder, slots=slots, mask=mask).stream(requests):
        replies[part.request].extend(part.tokens)
    return replies
