"""Cached == full, forks do not touch each other, causality and history dropout by gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GPT_SoVITS.dialogue.layout import IGNORE, EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.generate import generate, generate_batch
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, sample

MASKS = ["block_causal", "causal"]


def some_turn(index: int, *, phonemes: int = 4, codes: int = 5) -> EncodedTurn:
    rng = np.random.default_rng(index)
    bert = rng.standard_normal((phonemes, 1024)).astype(np.float32)
    ids, spoken = rng.integers(0, 30, phonemes), rng.integers(0, 1024, codes)
    return EncodedTurn("ab"[index % 2], ids, spoken, bert, index)


@pytest.fixture
def model() -> SemanticGPT:
    torch.manual_seed(0)
    config = S1Config(16, 2, 2, 1025, 32, use_roles=True, max_turn_distance=3)
    network = SemanticGPT(config).eval()
    torch.nn.init.normal_(network.embedding.role.weight)
    torch.nn.init.normal_(network.turn_bias)
    return network


def sequence(**options):
    turns = [some_turn(0), some_turn(1, phonemes=3), some_turn(2)]
    keep = options.pop("keep", "full")
    built = build_sequence(turns[:2], turns[2], LayoutConfig(**options), keep=keep)
    return built.columns()


@pytest.mark.parametrize("mask", MASKS)
def test_segments_fed_to_a_cache_give_the_logits_of_one_full_forward(model, mask):
    columns = sequence()
    full = model(collate([columns]), mask=mask)[0].detach()
    cache, pieces, at = model.new_cache(1, capacity=2), [], 0
    for end in np.flatnonzero(np.diff(columns.segment, append=99)) + 1:
        step = int(end) if columns.is_text[at] else at + 1  # text whole, codes one by one
        while at < end:
            out = model.run(collate([columns.part(at, step)]), mask=mask, cache=cache)
            pieces.append(out.logits[0])
            cache, at, step = out.cache, step, step + 1
    assert torch.allclose(torch.cat(pieces), full, atol=2e-5)


def test_a_forked_cache_leaves_the_first_branch_alone(model):
    columns = sequence()
    start = model.run(collate([columns.part(0, 9)]), cache=model.new_cache(1, capacity=64)).cache
    tail, other = collate([columns.part(9)]), collate([columns.part(9, 12)])
    first = model.run(tail, cache=start)
    kept = first.cache.buffer.keys[:, :, :, : first.cache.length].clone()
    model.run(other, cache=start)
    assert torch.equal(first.cache.buffer.keys[:, :, :, : first.cache.length], kept)
    assert torch.equal(model.run(tail, cache=start).logits, first.logits)
    assert start.length == 9


@pytest.mark.parametrize("mask", MASKS)
def test_attention_weights_are_those_of_the_fused_path(model, mask):
    batch = collate([sequence()])
    out = model.run(batch, mask=mask, need_weights=True)
    assert torch.allclose(out.logits, model(batch, mask=mask), atol=1e-5)
    assert torch.allclose(out.weights.sum(-1), torch.ones(()), atol=1e-5)


def influence(model, batch, column, mask):
    """(N,) how much each input column moves the logits of `column`."""
    embedded = model.embed(batch).detach().requires_grad_()
    logits = model.run(batch, mask=mask, embedded=embedded).logits
    logits[0, column].square().sum().backward()
    return embedded.grad[0].abs().sum(-1)


@pytest.mark.parametrize("mask", MASKS)
def test_no_column_feels_the_future_but_text_feels_its_own_segment(model, mask):
    columns = sequence()
    batch = collate([columns])
    for column in range(len(columns)):
        moved = influence(model, batch, column, mask) > 0
        same_text = (columns.segment == columns.segment[column]) & columns.is_text
        allowed = np.arange(len(columns)) <= column
        if mask == "block_causal":
            allowed |= same_text & columns.is_text[column]
        assert np.array_equal(moved.numpy(), allowed)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("keep", ["text", "speech", "none"])
def test_a_dropped_segment_stays_a_target_but_no_later_segment_feels_it(model, keep, mask):
    columns = sequence(loss_on="all_turns", keep=keep)
    full = sequence(loss_on="all_turns")
    assert np.array_equal(columns.target, full.target)
    assert columns.hidden.any()
    batch = collate([columns])
    for column in range(len(columns)):
        moved = influence(model, batch, column, mask).numpy() > 0
        outside = columns.segment != columns.segment[column]
        assert not (moved & columns.hidden & outside).any()


def test_with_response_loss_a_dropped_segment_is_not_in_the_sequence():
    assert not sequence(keep="text").hidden.any()
    spoken = [t for t, is_text in zip(sequence(keep="text").turn, sequence(keep="text").is_text)]
    assert len(spoken) < len(sequence())


def test_new_parts_start_without_effect():
    torch.manual_seed(1)
    plain = SemanticGPT(S1Config(16, 2, 2, 1025, 32)).eval()
    config = S1Config(16, 2, 2, 1025, 32, use_roles=True, max_turn_distance=4)
    more = SemanticGPT(config).eval()
    missing = more.load_state_dict(plain.state_dict(), strict=False)
    assert set(missing.missing_keys) == {"turn_bias", "embedding.role.weight"}
    batch = collate([sequence()])
    assert torch.allclose(more(batch), plain(batch), atol=1e-6)


def test_a_sampled_batch_equals_each_reply_alone(model):
    prompts = []
    for n in (2, 5, 3):
        built = build_sequence(
            [some_turn(0)], some_turn(1, phonemes=n), LayoutConfig(), include_response_codes=False
        )
        prompts.append(built.columns())
    options = SamplingOptions(max_tokens=12)
    seeded = [torch.Generator().manual_seed(i) for i in range(3)]
    batched = generate_batch(model, prompts, options, seeded)
    for i, prompt in enumerate(prompts):
        alone = generate(model, prompt, options, torch.Generator().manual_seed(i))
        assert batched[i] == list(alone)


def test_the_end_is_impossible_while_the_guard_lasts():
    logits = torch.zeros(20)
    logits[-1] = 50.0
    options = SamplingOptions(eos_guard=3)
    none = torch.zeros(0, dtype=torch.long)
    stops = [sample(logits, none, options, step=step).stop for step in range(5)]
    assert stops == [False, False, False, True, True]


def test_ids_beyond_the_codebook_are_never_drawn():
    logits = torch.zeros(1025)
    logits[300] = 9.0  # what an untrained network may prefer
    options = SamplingOptions(n_codes=256, top_k=1025, eos_guard=0)
    drawn = [
        sample(logits, torch.tensor([], dtype=torch.long), options, step=0, generator=noise).token
        for noise in (torch.Generator().manual_seed(seed) for seed in range(200))
    ]
    assert all(token < 256 or token == 1024 for token in drawn)


def test_token_dropout_hides_only_tokens_behind_which_one_is_learnt_and_only_in_training():
    torch.manual_seed(0)
    network = SemanticGPT(S1Config(16, 2, 2, 1025, 32, dropout=0.0, token_dropout=0.999))
    columns = sequence()
    batch = collate([columns])
    hidden = network.train().embed(batch)[0]
    seen = network.eval().embed(batch)[0]
    changed = (hidden != seen).any(-1).numpy()
    learnt = (columns.target != IGNORE) & ~columns.is_text
    assert learnt.sum() == 5 and (changed == learnt).all()  # history and text stay as they are
    position = network.embedding.semantic_position(batch.position)[0]
    assert torch.equal(hidden[learnt], position[learnt])  # the place is still known
    assert torch.equal(network.embed(batch)[0], seen)
