"""Continuous batching: every reply is the one it would be alone, whoever shares its steps."""

from __future__ import annotations

import threading

import pytest
import torch

from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Request
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.s1_gpt.dialogues import prompt, small_model


def requests(n: int, *, greedy: bool) -> list[Request]:
    """Requests that differ in prompt, options and length."""
    return [
        Request(
            prompt(phonemes=2 + i % 5, history=i % 4),
            SamplingOptions(
                top_k=1 if greedy else 5 + i,
                temperature=1 + 0.1 * (i % 3),
                top_p=1.0 if i % 2 else 0.9,
                repetition_penalty=1.0 + 0.1 * (i % 4),
                eos_guard=i,
                max_tokens=5 + 7 * (i % 5),
            ),
            torch.Generator().manual_seed(i),
            previous=range(i),
        )
        for i in range(n)
    ]


def alone(decoder: Decoder, request: Request) -> list[int]:
    """The reply of a request by itself."""
    generation = generate(
        decoder, request.prompt, request.options, request.generator, previous=request.previous
    )
    return list(generation)


def together(batch: BatchDecoder, asked: list[Request]) -> dict[int, list[int]]:
    """All tokens of all requests."""
    replies: dict[int, list[int]] = {}
    for part in batch.stream(asked):
        replies.setdefault(part.request, []).extend(part.tokens)
    return replies


@pytest.mark.parametrize("check_every", [1, 8], ids=["every step", "every 8 steps"])
@pytest.mark.parametrize("greedy", [True, False], ids=["greedy", "sampled"])
@pytest.mark.parametrize("n", [2, 7, 16])
def test_a_batch_equals_each_reply_alone(n: int, greedy: bool, check_every: int) -> None:
    decoder = Decoder(small_model())
    replies = together(
        BatchDecoder(decoder, slots=n, check_every=check_every), requests(n, greedy=greedy)
    )
    assert [replies[i] for i in range(n)] == [alone(decoder, r) for r in requests(n, greedy=greedy)]


def test_more_requests_than_slots_take_the_places_of_finished_ones() -> None:
    decoder = Decoder(small_model())
    batch = BatchDecoder(decoder, slots=3)
    replies = together(batch, requests(11, greedy=False))
    assert [replies[i] for i in range(11)] == [
        alone(decoder, r) for r in requests(11, greedy=False)
    ]
    assert not batch.busy and batch.running == 0


def test_a_request_may_join_while_others_run_and_leave_before_its_end() -> None:
    decoder, asked = Decoder(small_model()), requests(5, greedy=False)
    batch = BatchDecoder(decoder, slots=4)
    replies: dict[int, list[int]] = {i: [] for i in range(5)}
    numbers = [batch.submit(asked[i]) for i in (4, 1)]
    for step in range(60):
        if step == 3:
            numbers += [batch.submit(asked[i]) for i in (2, 3, 0)]
        if step == 6:
            batch.cancel(numbers[2])
        for part in batch.step():
            replies[(4, 1, 2, 3, 0)[part.request]].extend(part.tokens)
    expected = {i: alone(decoder, r) for i, r in enumerate(requests(5, greedy=False))}
    stopped = replies.pop(2)
    assert len(stopped) == 3 and stopped == expected.pop(2)[:3]
    assert replies == expected and not batch.busy


def test_kept_caches_and_likelihoods_are_those_of_the_single_run() -> None:
    decoder, asked = Decoder(small_model()), requests(4, greedy=False)
    batch = BatchDecoder(decoder, slots=2, keep_caches=True)
    ends = {p.request: p for p in batch.stream(asked) if p.finished}
    for i, request in enumerate(requests(4, greedy=False)):
        single = generate(
            decoder, request.prompt, request.options, request.generator, previous=request.previous
        )
        list(single)
        kept = ends[i].cache
        assert kept is not None and kept.length == single.cache.length
        n = kept.length
        for mine, its in zip(
            (kept.buffer.keys, kept.buffer.values),
            (single.cache.buffer.keys, single.cache.buffer.values),
        ):
            assert torch.allclose(mine[:, :, :, :n], its[:, :, :, :n], atol=1e-5)
        for name in ("segment", "turn", "valid", "hidden"):
            assert torch.equal(kept.meta(name), single.cache.meta(name))
        assert ends[i].ended == single.ended
        assert ends[i].log_probability == pytest.approx(single.log_probability, abs=1e-3)


def test_a_shared_prefix_is_read_by_many_and_changed_by_none() -> None:
    decoder, start = Decoder(small_model()), prompt(history=2)
    cut = len(start) - 5
    held = decoder.model.run(collate([start.part(0, cut)]), cache=decoder.model.new_cache(1)).cache
    assert held is not None
    options = SamplingOptions(max_tokens=12)

    def request(seed: int) -> Request:
        return Request(start.part(cut), options, torch.Generator().manual_seed(seed), cache=held)

    replies = together(BatchDecoder(decoder, slots=3), [request(i) for i in range(6)])
    for i in range(6):
        seeded = torch.Generator().manual_seed(i)
        assert replies[i] == list(generate(decoder, start, options, seeded))


def test_requests_may_come_from_many_threads() -> None:
    decoder = Decoder(small_model())
    batch = BatchDecoder(decoder, slots=4)
    numbers: dict[int, int] = {}

    def ask(i: int) -> None:
        numbers[batch.submit(requests(8, greedy=False)[i])] = i

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    replies: dict[int, list[int]] = {}
    while batch.busy or any(thread.is_alive() for thread in threads):
        for part in batch.step():
            replies.setdefault(part.request, []).extend(part.tokens)
    expected = [alone(decoder, r) for r in requests(8, greedy=False)]
    assert {numbers[k]: v for k, v in replies.items()} == dict(enumerate(expected))


def test_wrong_requests_are_refused() -> None:
    decoder = Decoder(small_model())
    with pytest.raises(ValueError, match="slots is 0"):
        BatchDecoder(decoder, slots=0)
    with pytest.raises(ValueError, match="no columns"):
        BatchDecoder(decoder).submit(Request(prompt().part(0, 0), SamplingOptions()))
