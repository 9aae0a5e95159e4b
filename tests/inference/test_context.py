"""The context computes a finished turn once, forks safely, and never trusts a stale cache."""

import numpy as np
import pytest
import torch

from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.prefix import common_prefix
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

GROWING = LayoutConfig(history_mode="growing", history_tokens=10_000)
GREEDY = SamplingOptions(top_k=1, eos_guard=4, max_tokens=6)


@pytest.fixture(scope="module")
def model() -> SemanticGPT:
    torch.manual_seed(1)
    config = S1Config(hidden_dim=32, n_head=4, n_layer=2, phoneme_vocab_size=50)
    return SemanticGPT(config).eval()


def turn(speaker: str, seed: int, n: int = 6) -> EncodedTurn:
    rng = np.random.default_rng(seed)
    return EncodedTurn(speaker, rng.integers(1, 50, n), rng.integers(0, 1024, 2 * n))


def answer(context: DialogueContext, phonemes: list[int]) -> list[int]:
    held = context.prefix(phonemes)
    reply = context.generate(held, GREEDY)
    codes = list(reply)
    context.keep(held, reply)
    context.add(EncodedTurn(context.agent, np.asarray(phonemes), np.asarray(codes)))
    return codes


def test_growing_session_computes_only_what_is_new(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    context.add(turn("u", 0))
    answer(context, [1, 2, 3])
    before = context.computed_columns
    new = context.add(turn("u", 1))
    answer(context, [4, 5, 6, 7])
    computed = context.computed_columns - before
    # the new turn, the new text, and at most the last token of the former reply
    assert (
        len(new.phonemes) + len(new.codes) + 4 <= computed <= len(new.phonemes) + len(new.codes) + 5
    )


def test_session_with_cache_answers_like_one_without(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    for k in range(4):
        context.add(turn("u", k))
        context.warm()
        fresh = DialogueContext(model, agent="a", layout=GROWING, turns=context.turns)
        assert answer(fresh, [k + 1, 9]) == answer(context, [k + 1, 9])


def test_fork_and_original_do_not_touch_each_other(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    context.add(turn("u", 0))
    answer(context, [1, 2])
    fork = context.fork()
    fork.add(turn("u", 5))
    context.add(turn("u", 6))
    for one, seed in ((fork, 5), (context, 6)):
        fresh = DialogueContext(model, agent="a", layout=GROWING, turns=one.turns)
        assert answer(one, [7, 8]) == answer(fresh, [7, 8]), seed
    assert len(fork.turns) == len(context.turns)


def test_window_drops_its_cache_when_the_oldest_turn_leaves(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=LayoutConfig(history_turns=2))
    for k in range(5):
        context.add(turn("u", k))
        held = context.prefix([3, 4])
        fresh = DialogueContext(model, agent="a", layout=context.layout, turns=context.turns)
        assert torch.allclose(context.logits(held), fresh.logits(held), atol=1e-5)
        answer(context, [3, 4])


def test_a_stopped_reply_leaves_a_usable_cache(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    context.add(turn("u", 0))
    held = context.prefix([1, 2])
    reply = context.generate(held, GREEDY)
    first = [next(reply), next(reply)]
    context.keep(held, reply)
    context.add(EncodedTurn("a", np.array([1, 2]), np.array(first)))
    fresh = DialogueContext(model, agent="a", layout=GROWING, turns=context.turns)
    assert answer(context, [3]) == answer(fresh, [3])


def test_a_text_segment_is_reused_whole_or_not_at_all(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    context.add(turn("u", 0))
    short, long = context.prefix([1, 2]), context.prefix([1, 2, 3])
    history = len(short) - 2
    assert common_prefix(short, long, limit=10**6) == history
    assert common_prefix(long, short, limit=10**6) == history
    assert common_prefix(long, long, limit=10**6) == history  # one column must be left to compute


def test_a_text_only_turn_is_heard_as_text(model: SemanticGPT) -> None:
    context = DialogueContext(model, agent="a", layout=GROWING)
    context.add(EncodedTurn("u", np.array([5, 6, 7]), np.zeros(0)))
    held = context.prefix([1, 2])
    assert held.is_text.all() and held.segment.max() == 1
    assert context.logits(held).shape == (1025,)
