"""Decoding with a cache, as a generator of codes; the whole reply is `list(generate(...))`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.kv_cache import KVCache
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, draw, penalised, probabilities


def next_column(batch: ColumnBatch, code: int, step: int) -> ColumnBatch:
    """The column of the code drawn at `step`, behind a batch of one that ends where speech begins.

    After a text column a new semantic segment opens at position 0; after speech columns (a grouped
    layout's prompt) the segment goes on.
    """
    last = {k: v[:, -1:] for k, v in vars(batch).items() if isinstance(v, Tensor) and k != "bert"}
    after_text = bool(last["is_text"][0, 0])
    start = 0 if after_text else int(last["position"][0, 0]) + 1
    return ColumnBatch(
        ids=torch.full_like(last["ids"], code),
        is_text=torch.zeros_like(last["is_text"]),
        position=torch.full_like(last["position"], start + step),
        segment=last["segment"] + (1 if after_text else 0),
        turn=last["turn"],
        role=last["role"],
        hidden=torch.zeros_like(last["hidden"]),
        target=torch.full_like(last["target"], -100),
        valid=torch.ones_like(last["valid"]),
    )


@torch.inference_mode()
def generate(
    model: SemanticGPT,
    batch: ColumnBatch,
    options: SamplingOptions,
    *,
    mask: str = "block_causal",
    cache: KVCache | None = None,
    generator: torch.Generator | None = None,
    penalised_history: Tensor | None = None,
) -> Iterator[int]:
    """Codes of the response, one by one, until the end of speech or `options.max_tokens`.

    `batch` holds one sequence that ends at the response's text (or at a speech prompt); with a
    `cache` it holds only the columns not yet in it, and the generated columns are appended.
    `penalised_history`: ids of a speech prompt, for the repetition penalty. EOS is never yielded.
    """
    if batch.ids.shape[0] != 1:
        raise ValueError("generate takes one sequence; use generate_batch for several")
    if cache is None:
        room = batch.ids.shape[1] + min(options.max_tokens, 512)
        cache = model.new_cache(capacity=room)
    logits = model(batch, mask=mask, cache=cache)[:, -1].float()  # (1, V)
    eos = model.config.eos
    used = torch.zeros_like(logits, dtype=torch.bool)
    if penalised_history is not None and penalised_history.numel():
        used[0, penalised_history.flatten()] = True
    for step in range(options.max_tokens):
        scores = penalised(logits, used, options, step=step)
        code = draw(probabilities(scores, options), generator)
        if int(code) == eos or int(scores.argmax(dim=-1)) == eos:
            return
        yield int(code)
        used[0, code] = True
        column = next_column(batch, int(code), step)
        logits = model(column, mask=mask, cache=cache)[:, -1].float()
