"""Gates of decoding: cached == uncached; the decoding step == the network's forward."""

from __future__ import annotations

import pytest
import torch

from GPT_SoVITS.dialogue.layout import LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.s1_gpt.dialogues import made_turn, prompt, small_model

LENGTHS = [1, 17, 255, 256, 257, 1000]


@pytest.mark.parametrize("n", LENGTHS)
def test_logits_of_cached_decoding_equal_one_full_forward(n: int) -> None:
    """n response codes behind a history, fed one by one at a cache that grows on the way."""
    model = small_model()
    turns = [made_turn(0), made_turn(1, phonemes=6, codes=n)]
    columns = build_sequence(turns[:1], turns[1], LayoutConfig()).columns()
    text = len(columns) - n
    with torch.inference_mode():
        full = model(collate([columns]))[0, text - 1 :]
    decoder = Decoder(model)
    cache = model.new_cache(1, capacity=64)
    out = decoder.prefill(collate([columns.part(0, text)]), cache, mask="block_causal")
    steps, cache = [out.logits[:, -1]], out.cache
    for i in range(text, len(columns)):
        assert cache is not None
        logits, cache = decoder.step(collate([columns.part(i, i + 1)]), cache)
        steps.append(logits)
    assert (torch.cat(steps) - full).abs().max() < 1e-5


@pytest.mark.parametrize("mask", ["block_causal", "causal"])
def test_greedy_tokens_equal_a_loop_without_cache(mask: str) -> None:
    model, start = small_model(), prompt(history=2)
    options = SamplingOptions(top_k=1, repetition_penalty=1.0, eos_guard=60, max_tokens=60)
    cached = list(generate(model, start, options, mask=mask))
    turns = [made_turn(i, phonemes=3 + i) for i in range(2)]
    plain: list[int] = []
    for step in range(60):
        response = made_turn(2, phonemes=5)
        response = type(response)(
            response.speaker, response.phonemes, torch.tensor(plain).numpy(), response.bert, 2
        )
        columns = build_sequence(
            turns, response, LayoutConfig(), include_response_codes=step > 0
        ).columns()
        with torch.inference_mode():
            plain.append(int(model(collate([columns]), mask=mask)[0, -1, :-1].argmax()))
    assert cached == plain


def test_a_generation_can_be_forked_at_its_prompt() -> None:
    model, options = small_model(), SamplingOptions(max_tokens=20)
    seeds = [torch.Generator().manual_seed(s) for s in (1, 2, 1)]
    first = generate(model, prompt(), options, seeds[0])
    one = list(first)
    # the same prompt again, all but its last column from the first one's cache
    assert first.prompt_cache is not None
    n = first.prompt_cache.length
    held = first.prompt_cache.first(n - 5)  # a text segment is fed whole
    other = list(generate(model, prompt().part(n - 5), options, seeds[1], cache=held))
    again = list(generate(model, prompt().part(n - 5), options, seeds[2], cache=held))
    assert again == one and other != one


def test_hidden_columns_are_refused() -> None:
    turns = [made_turn(0), made_turn(1)]
    layout = LayoutConfig(loss_on="all_turns")
    columns = build_sequence(turns[:1], turns[1], layout, keep="text").columns()
    with pytest.raises(ValueError, match="hidden"):
        next(generate(small_model(), columns, SamplingOptions()))
