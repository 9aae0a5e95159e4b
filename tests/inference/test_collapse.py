"""Loops and silence without end: found where they are, drawn again, reported; silences cut."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.collapse import find_collapse, shrink_silence
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.steady import Drawn, SteadyGeneration, livelier
from GPT_SoVITS.s1_gpt.generate import Generation
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.inference.test_context import GROWING, turn
from tests.s1_gpt.dialogues import small_model

SPEECH = np.random.default_rng(0).integers(0, 1024, 400).tolist()
OPTIONS = SamplingOptions(top_k=1024, max_tokens=150, eos_guard=150, repetition_penalty=1.0)


@pytest.mark.parametrize("period", [2, 7, 25, 50])
def test_a_loop_is_found_with_its_period_and_place(period: int) -> None:
    found = find_collapse([*SPEECH[:30], *SPEECH[30 : 30 + period] * 20])
    assert found is not None and (found.kind, found.start, found.period) == ("loop", 30, period)
    assert found.tokens == period + max(25, 3 * period)
    assert "loop from 1.2 s" in str(found)


@pytest.mark.parametrize("period", [2, 7, 25, 50])
def test_saying_it_three_times_is_no_loop(period: int) -> None:
    times = 3 if period > 7 else 25 // period
    assert (
        find_collapse([*SPEECH[:30], *SPEECH[30 : 30 + period] * times, *SPEECH[100:200]]) is None
    )


def test_a_pause_may_last_two_seconds() -> None:
    silent = {5, 6, 7}
    pause = [5, 6, 5, 7] * 20
    assert find_collapse([*SPEECH[:20], *pause[:49], *SPEECH[20:50]], silent) is None
    found = find_collapse([*SPEECH[:20], *pause[:50]], silent)
    assert found is not None and (found.kind, found.start, found.tokens) == ("silence", 20, 50)
    held = find_collapse([*SPEECH[:20], *[9] * 50])
    assert held is not None and (held.kind, held.start, held.period) == ("loop", 20, 1)
    assert find_collapse([*SPEECH[:20], *[9] * 49, 3]) is None


def test_speech_is_no_collapse() -> None:
    assert find_collapse(SPEECH) is None


@pytest.mark.parametrize(("total", "cut"), [(30, False), (31, True)])
def test_silences_shrink_beyond_thirty(total: int, cut: bool) -> None:
    """IndexTTS's rule for its token 52: runs of 9 and 10 stay, longer ones become 10."""
    runs = [9, 10, 11]
    tokens = [1]
    for run in runs:
        tokens += [52] * run + [1]
    tokens += ([52] + [1]) * (total - sum(runs))
    assert tokens.count(52) == total
    kept = shrink_silence(tokens, {52}, longest=10, beyond=30)
    eleventh = 32  # of the run that begins at 22
    assert kept == (tokens[:eleventh] + tokens[eleventh + 1 :] if cut else tokens)


class Scripted:
    """Stands for a generation: says what it is told, after what was kept."""

    def __init__(self, script: Sequence[int], log: list[list[int]], said: Sequence[int]) -> None:
        self._left = iter(script)
        self.tokens: list[int] = []
        self.cache = None
        log.append(list(said))

    def close(self) -> None:
        self._left = iter(())

    def __next__(self) -> int:
        token = next(self._left, None)
        if token is None:
            raise StopIteration
        self.tokens.append(token)
        return token


def steady(
    *scripts: Sequence[int], retries: int = 2, final: bool = False, cancel: threading.Event | None
) -> tuple[SteadyGeneration, list[list[int]]]:
    """A generation whose attempts say these, and what each attempt went on from."""
    log: list[list[int]] = []

    def draw(said: Sequence[int], retry: int) -> Generation:
        return Scripted(scripts[retry], log, said)  # type: ignore[return-value]

    return SteadyGeneration(draw, retries=retries, final=final, cancel=cancel), log


LOOP = [*SPEECH[:20], *[3, 4] * 40]


def test_a_whole_reply_goes_back_to_the_first_round_and_on() -> None:
    generation, log = steady(LOOP, SPEECH[30:60], cancel=None)
    list(generation)
    assert generation.tokens == [*SPEECH[:20], 3, 4, *SPEECH[30:60]]
    assert log == [[], [*SPEECH[:20], 3, 4]]
    (found,) = generation.collapses
    assert found.kind == "loop" and not generation.gave_up


def test_a_stream_takes_nothing_back_and_holds_back_what_is_suspect() -> None:
    generation, log = steady(LOOP, SPEECH[30:60], final=True, cancel=None)
    given = list(generation)
    assert given == generation.tokens and given[:20] == SPEECH[:20]
    assert given[-30:] == SPEECH[30:60] and len(given) == 20 + 2 + 7 + 30
    assert log[1] == given[:-30]


def test_tokens_that_only_looked_suspect_are_all_given() -> None:
    tokens = [*SPEECH[:20], *[3, 4] * 6, *SPEECH[40:60], *[9] * 30]
    for final in (True, False):
        generation, _ = steady(tokens, final=final, cancel=None)
        assert list(generation) == tokens and not generation.collapses


def test_after_the_last_retry_the_reply_ends_there_and_says_so() -> None:
    generation, log = steady(LOOP, LOOP[20:], LOOP[20:], cancel=None)
    list(generation)
    assert generation.gave_up and len(generation.collapses) == 3
    assert [len(said) for said in log] == [0, 22, 10]  # further back every time
    assert generation.tokens == [*SPEECH[:10], 3, 4]


def test_unwatched_a_loop_is_spoken() -> None:
    generation, _ = steady(LOOP, retries=0, cancel=None)
    assert list(generation) == LOOP and not generation.collapses


def test_cancelling_also_stops_what_is_held_back() -> None:
    cancel = threading.Event()
    generation, _ = steady(LOOP, LOOP, final=True, cancel=cancel)
    for _ in range(25):
        next(generation)
    cancel.set()
    with pytest.raises(ReplyCancelled):
        list(generation)
    assert len(generation.tokens) < 40


def test_a_retry_is_livelier() -> None:
    greedy = SamplingOptions(top_k=1, temperature=0.5)
    assert livelier(greedy, 0) is greedy
    first, second = livelier(greedy, 1), livelier(greedy, 2)
    assert first.top_k == 5 and 0.5 < first.temperature < second.temperature


def test_going_on_from_kept_tokens_equals_never_having_stopped() -> None:
    context = DialogueContext(small_model(), agent="a", layout=GROWING, turns=[turn("u", 0)])
    columns = context.prefix([1, 2, 3])
    whole = context.generate(columns, SamplingOptions(top_k=1, max_tokens=60, eos_guard=60))
    tokens = list(whole)
    for kept in (1, 7, 40):
        options = SamplingOptions(top_k=1, max_tokens=60, eos_guard=60)
        again = context.generate(columns, options, said=tokens[:kept])
        assert tokens[:kept] + list(again) == tokens
        assert again.cache.length == len(columns) + 59


def test_a_network_that_loops_is_brought_back() -> None:
    """A network whose next token is a function of the latest one goes round when greedy."""
    torch.manual_seed(1)
    model = small_model()
    with torch.no_grad():
        for layer in model.layers:
            layer.attention.out.weight.zero_()
        model.embedding.semantic_position.alpha.zero_()
        model.head.weight.mul_(0.3)
    context = DialogueContext(model, agent="a", layout=GROWING)
    columns = context.prefix([1, 2, 3])
    options = SamplingOptions(
        top_k=1, max_tokens=150, eos_guard=150, repetition_penalty=1.0, n_codes=20
    )
    assert find_collapse(list(context.generate(columns, options))) is not None

    def draw(said: Sequence[int], retry: int) -> Drawn:
        chosen, seeded = livelier(options, retry), torch.Generator().manual_seed(retry)
        return context.generate(columns, chosen, seeded, said=said)

    generation = SteadyGeneration(draw, retries=10)
    list(generation)
    assert generation.collapses and not generation.gave_up
    assert len(generation.tokens) == 150 and find_collapse(generation.tokens) is None
