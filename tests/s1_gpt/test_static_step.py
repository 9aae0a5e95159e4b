"""Steps of fixed sizes, and their CUDA graphs: what is not written is not seen."""

from __future__ import annotations

import pytest
import torch

from GPT_SoVITS.dialogue.layout import LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Request
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.s1_gpt.dialogues import made_turn, prompt, small_model
from tests.s1_gpt.test_decode_batch import alone, requests, together
from tests.s1_gpt.test_decode_gates import LENGTHS

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(
            not torch.cuda.is_available(), reason="needs a CUDA device: graphs of the decoding step"
        ),
    ),
]
LARGE = 1e4


def poisoned(batch: BatchDecoder) -> BatchDecoder:
    """Columns nobody wrote hold large numbers: whoever attends to them shows it."""
    batch._cache.keys.fill_(LARGE)
    batch._cache.values.fill_(LARGE)
    return batch


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("check_every", [1, 8])
@pytest.mark.parametrize("n", [1, 2, 7, 16])
def test_greedy_replies_equal_those_of_the_growing_cache(
    n: int, check_every: int, device: str
) -> None:
    decoder = Decoder(small_model().to(device))
    batch = BatchDecoder(decoder, slots=n, check_every=check_every, static=True)
    replies = together(poisoned(batch), requests(n, greedy=True))
    assert [replies[i] for i in range(n)] == [alone(decoder, r) for r in requests(n, greedy=True)]


@pytest.mark.parametrize("n", [3, 16])
def test_sampled_replies_too(n: int) -> None:
    decoder = Decoder(small_model())
    batch = poisoned(BatchDecoder(decoder, slots=4, check_every=3, static=True))
    replies = together(batch, requests(n, greedy=False))
    assert [replies[i] for i in range(n)] == [alone(decoder, r) for r in requests(n, greedy=False)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n", LENGTHS)
def test_logits_equal_one_full_forward(n: int, device: str) -> None:
    """After n codes of a greedy reply; across the blocks a cache is rounded up to."""
    decoder = Decoder(small_model().to(device))
    batch = BatchDecoder(decoder, slots=2, check_every=1, static=True)
    options = SamplingOptions(top_k=1, eos_guard=n + 1, max_tokens=n + 1, repetition_penalty=1.0)
    batch.submit(Request(prompt(), options))
    poisoned(batch)
    said: list[int] = []
    while len(said) < n:
        for part in batch.step():
            said += part.tokens
    turn = made_turn(1, phonemes=5)
    whole = type(turn)(turn.speaker, turn.phonemes, torch.tensor(said).numpy(), turn.bert, 1)
    columns = build_sequence([made_turn(0, phonemes=3)], whole, LayoutConfig()).columns()
    with torch.inference_mode():
        full = decoder.model(collate([columns]).to(device))[0, -1]
    assert (batch._state.logits[0] - full).abs().max() < 1e-5


def test_an_attention_to_unwritten_columns_is_noticed() -> None:
    """The published fault, put in on purpose: the gate above would see it."""
    decoder = Decoder(small_model())
    batch = poisoned(BatchDecoder(decoder, slots=1, static=True))
    cache = batch._cache
    cache.seen = lambda rows, n: torch.zeros(rows, 1, 1, n)  # type: ignore[method-assign]
    (request,) = requests(1, greedy=True)
    assert together(batch, [request])[0] != alone(decoder, requests(1, greedy=True)[0])


def test_what_a_step_changes_can_be_undone() -> None:
    """Capturing a graph runs the step a few times; afterwards everything is as before."""
    decoder = Decoder(small_model())
    batch = BatchDecoder(decoder, slots=3, static=True)
    for request in requests(3, greedy=False):
        batch.submit(request)
    replies: dict[int, list[int]] = {}
    for turn in range(100):
        if turn == 2:
            assert batch._static is not None
            state = vars(batch._state) | {"length": batch._cache.length}
            tensors = {name: value for name, value in state.items() if torch.is_tensor(value)}
            before = {name: value.clone() for name, value in tensors.items()}
            undone = [*batch._state.changing, batch._cache.length]
            kept = [value.clone() for value in undone]
            with torch.inference_mode():
                for _ in range(3):
                    batch._static._run(3, 256)
                for tensor, value in zip(undone, kept):
                    tensor.copy_(value)
            assert all(torch.equal(tensors[name], value) for name, value in before.items())
        for part in batch.step():
            replies.setdefault(part.request, []).extend(part.tokens)
    assert [replies[i] for i in range(3)] == [alone(decoder, r) for r in requests(3, greedy=False)]


def test_slots_nobody_uses_stay_inside_their_buffers() -> None:
    decoder = Decoder(small_model())
    batch = BatchDecoder(decoder, slots=4, static=True)
    options = [SamplingOptions(max_tokens=k, eos_guard=k) for k in (3, 400, 400)]
    for one in options:
        batch.submit(Request(prompt(), one, torch.Generator().manual_seed(0)))
    ends = []
    while batch.busy:
        ends += [len(p.tokens) for p in batch.step() if p.finished]
    assert len(ends) == 3
    later = Request(prompt(), SamplingOptions(max_tokens=30), torch.Generator().manual_seed(1))
    assert together(batch, [later])[3] == alone(
        decoder, Request(later.prompt, later.options, torch.Generator().manual_seed(1))
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: graphs, bf16")
def test_graphs_are_captured_once_per_size_and_bf16_stays_near() -> None:
    model = small_model(dim=64).cuda()
    batch = BatchDecoder(Decoder(model, precision="fp32"), slots=4)
    together(batch, requests(9, greedy=True))
    assert batch._static is not None and 1 <= batch._static.captured <= 6
    captured = batch._static.captured
    together(batch, requests(9, greedy=True))
    assert batch._static.captured == captured
    half, start = Decoder(model, precision="bf16"), prompt()
    options = SamplingOptions(top_k=1, eos_guard=20, max_tokens=20)
    exact = list(generate(Decoder(model, precision="fp32"), start, options))
    replies = together(BatchDecoder(half, slots=1), [Request(start, options)])
    assert len(replies[0]) == len(exact)
    seen = [
        one.prefill(collate([start]).to("cuda"), one.model.new_cache(1), mask="block_causal").logits
        for one in (Decoder(model, precision="fp32"), half)
    ]
    assert (seen[0] - seen[1].float()).abs().max() < 1e-2 * seen[0].abs().max()
