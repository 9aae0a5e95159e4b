"""Sessions that go on: text that comes late, a budget that is kept, histories shared by content."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.prefix import CachedColumns
from GPT_SoVITS.inference.prefix_cache import PrefixCache, segment_digests
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.turns import bounded
from GPT_SoVITS.s1_gpt.compiled import can_compile
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.inference.test_context import GREEDY, GROWING, answer, turn
from tests.inference.test_session import OPTIONS, codes_of, frontend, talker, tone
from tests.s1_gpt.dialogues import small_model

__all__ = ["frontend", "talker"]


def sampled(context: DialogueContext, phonemes: list[int]) -> list[int]:
    """A sampled answer that is not kept."""
    options = dataclasses.replace(GREEDY, top_k=50, max_tokens=20)
    return list(
        context.generate(context.prefix(phonemes), options, torch.Generator().manual_seed(1))
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_greedy_and_sampled_tokens_agree_among_eager_batched_session_forked_rebuilt(
    compiled: bool,
) -> None:
    if compiled and not can_compile():
        pytest.skip("numba with OpenMP is not installed")
    model = small_model()
    decoder = Decoder(model, precision="fp32", compiled=compiled)
    session = DialogueContext(decoder, agent="a", layout=GROWING, shared=PrefixCache())
    for k in range(4):
        session.add(turn("u", k, n=3 + k))
        session.warm()
        answer(session, [k + 1, 5, 6])
    session.add(turn("u", 9))
    fork = session.fork()
    fork.add(turn("u", 10))  # the fork goes another way first, then a second one is asked
    answer(fork, [1, 2])
    rebuilt = DialogueContext(model, agent="a", layout=GROWING, turns=session.turns)
    for options in (GREEDY, dataclasses.replace(GREEDY, top_k=40, max_tokens=25)):
        columns = session.prefix([7, 8, 9])
        replies = []
        for one in (session, session.fork(), rebuilt):
            replies.append(list(one.generate(columns, options, torch.Generator().manual_seed(3))))
        batch = BatchDecoder(decoder, slots=7)
        seeds = [torch.Generator().manual_seed(3 + i % 2) for i in range(7)]
        for request in session.requests(columns, options, seeds):
            batch.submit(request)
        batched: dict[int, list[int]] = {}
        while batch.busy:
            for part in batch.step():
                batched.setdefault(part.request, []).extend(part.tokens)
        assert replies[0] == replies[1] == replies[2]
        assert all(batched[i] == replies[0] for i in (0, 2, 4, 6))


def test_text_may_come_after_the_sound(talker) -> None:  # type: ignore[no-untyped-def]
    late, early = talker.session(), talker.session()
    for session in (late, early):
        session.add(Turn("user", "first of all"), samples=tone(0.3))
    heard = late.hear("user", tone(0.6))
    assert heard.turn is None and len(heard.encoded.codes) and not len(heard.encoded.phonemes)
    unwritten = late.fork().respond("well")
    before = late.context.computed_columns
    written = late.write(1, "and then")
    early.add(Turn("user", "and then"), samples=tone(0.6))
    assert written.turn is not None and written.turn.text == "and then"
    assert late.context.computed_columns - before == len(written.encoded.phonemes) + len(
        written.encoded.codes
    )  # what came before it was not computed again
    assert codes_of(late) == codes_of(early)
    replies = [session.respond("well").codes for session in (late, early)]
    assert replies[0] == replies[1] and unwritten.codes != replies[0]
    with pytest.raises(ValueError, match="has its text already"):
        late.write(1, "again")


def test_a_session_keeps_its_budget_and_goes_on_as_rebuilt(talker) -> None:  # type: ignore[no-untyped-def]
    column = talker.decoder().bytes_per_column
    budget = 2 * max(column * 300, 6 * tone(0.5).nbytes)
    session = talker.session(max_bytes=budget)
    for k in range(8):
        session.add(Turn("user", f"question number {k + 1}"), samples=tone(0.1 + 0.1 * k))
        session.respond("an answer")
        held = sum(one.samples.nbytes for one in session.turns if one.samples is not None)
        assert held <= budget // 2
    assert session.turns[0].samples is None and session.turns[-1].samples is not None
    assert len(session.turns) == 16 and all(len(one.encoded.codes) for one in session.turns)
    rebuilt = DialogueSession.rebuild(talker, session.turns, max_bytes=budget)
    for one in (session, rebuilt):
        one.add(Turn("user", "and now"), samples=tone(0.9))
    assert codes_of(session) == codes_of(rebuilt)  # the statistics survived the forgotten sound
    assert session.respond("so").codes == rebuilt.respond("so").codes


def test_own_replies_alone_do_not_fill_the_memory(talker) -> None:  # type: ignore[no-untyped-def]
    budget = 2 * max(talker.decoder().bytes_per_column * 300, 4 * tone(0.5, 1.0).nbytes)
    session = talker.session(max_bytes=budget)
    for _ in range(10):
        session.respond("an answer")
    held = {id(one.samples): one.samples.nbytes for one in session.turns if one.samples is not None}
    held |= {id(one.samples): one.samples.nbytes for one in session._turns.unheard}
    assert sum(held.values()) <= budget // 2


def test_the_byte_budget_becomes_a_history_in_columns() -> None:
    layout = LayoutConfig(history_mode="growing", history_tokens=1000)
    assert bounded(layout, 100, 50_000).history_tokens == 500
    assert bounded(layout, 100, 200_000) is layout
    with pytest.raises(ValueError, match="too small"):
        bounded(layout, 100, 99)


def context_of(decoder: Decoder, cache: PrefixCache, turns: list[EncodedTurn]) -> DialogueContext:
    """A request of its own: turns given at once, histories shared with others."""
    return DialogueContext(decoder, agent="a", layout=GROWING, turns=turns, shared=cache)


def test_another_request_with_the_same_history_computes_only_what_is_new() -> None:
    decoder, cache = Decoder(small_model()), PrefixCache()
    turns = [turn("u", 0), turn("a", 1), turn("u", 2)]
    first = context_of(decoder, cache, turns)
    reply = answer(first, [1, 2, 3])
    again = context_of(decoder, cache, turns)
    assert answer(again, [1, 2, 3]) == reply
    assert again.computed_columns == 3  # the text alone
    other = context_of(decoder, cache, [*turns[:2], turn("u", 7)])
    alone = context_of(decoder, PrefixCache(), [*turns[:2], turn("u", 7)])
    assert sampled(other, [4, 5]) == sampled(alone, [4, 5])
    new = len(turns[2].phonemes) + len(turns[2].codes) + 2
    assert other.computed_columns == new and cache.hits == 2


def test_the_prefix_cache_is_bounded_and_the_oldest_leaves() -> None:
    decoder = Decoder(small_model())
    one = context_of(decoder, PrefixCache(), [turn("u", 0)])
    one.warm()
    assert one._cached is not None
    size = one._cached.cache.n_bytes
    cache = PrefixCache(3 * size)
    contexts = [context_of(decoder, cache, [turn("u", seed)]) for seed in range(5)]
    for context in contexts:
        context.warm()
    assert len(cache) == 3 and cache.n_bytes <= cache.max_bytes
    for seed, found in ((0, False), (4, True)):
        asked = context_of(decoder, cache, [turn("u", seed)])
        asked.warm()
        assert (asked.computed_columns == 0) == found


def test_a_longer_history_replaces_its_own_beginning() -> None:
    decoder, cache = Decoder(small_model()), PrefixCache()
    context = context_of(decoder, cache, [])
    for k in range(4):
        context.add(turn("u", k))
        context.warm()
    assert len(cache) == 1


def test_content_decides_what_is_shared() -> None:
    decoder = Decoder(small_model())
    context = context_of(decoder, PrefixCache(), [turn("u", 0)])
    columns = context.prefix([1, 2])
    bert = np.ones((len(columns), 1024), np.float32)
    other = dataclasses.replace(columns, bert=bert)
    zero = dataclasses.replace(columns, bert=np.zeros_like(bert))
    assert segment_digests(columns) == segment_digests(zero)
    assert segment_digests(columns)[0] != segment_digests(other)[0]
    assert len(segment_digests(columns)) == 3
    cache = PrefixCache(0)
    cache.put(CachedColumns(columns, decoder.model.new_cache(1)))
    assert len(cache) == 0 and cache.find(columns) is None


def test_two_threads_with_different_dialogues_give_what_each_gives_alone(talker) -> None:  # type: ignore[no-untyped-def]
    from concurrent.futures import ThreadPoolExecutor

    def one(k: int) -> list[list[int]]:
        session = talker.session(options=dataclasses.replace(OPTIONS, seed=k))
        for turn_index in range(3):
            session.add(Turn("user", "hello there"), samples=tone(0.1 * (k + 1) + 0.1 * turn_index))
            session.respond("an answer")
        return codes_of(session)

    alone = [one(k) for k in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == alone


def test_precision_is_one_switch(talker) -> None:  # type: ignore[no-untyped-def]
    assert talker.decoder() is talker.decoder("fp32")  # too small a network for int8 to pay
    assert talker.decoder("int8").precision == "int8"
    options = dataclasses.replace(OPTIONS, precision="int8")
    assert talker.session(options=options).context.decoder is talker.decoder("int8")
    with pytest.raises(ValueError, match="precision is 'fp8'"):
        dataclasses.replace(OPTIONS, precision="fp8")
    assert SamplingOptions().top_k == OPTIONS.top_k
