"""Replies of several sessions decoded together: as they are alone, leaving when nobody waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.batching import DecodingFailed, SharedDecoding
from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.processors import Processors
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

TEXTS = ["Good morning.", "Your parcel is late.", "I will look it up at once.", "好的，我马上查。"]
SHORT = GenerationOptions(precision="fp32", max_seconds=1.0)


@pytest.fixture(scope="module")
def talker(talker_folder: Path) -> Talker:
    return Talker.load(talker_folder, device="cpu", precision="fp32")


@pytest.fixture
def decoding(talker: Talker) -> Iterator[SharedDecoding]:
    made = SharedDecoding(talker.decoder("fp32"), mask=talker.layout.mask, slots=3)
    yield made
    made.close()


def speak(talker: Talker, number: int, decoding: SharedDecoding | None) -> list[np.ndarray]:
    """Two replies of one dialogue, the second streamed."""
    session = talker.session(agent="anna", decoding=decoding)
    session.add(Turn("user", TEXTS[number % 4]))
    options = GenerationOptions(precision="fp32", max_seconds=1.0, seed=number)
    first = session.respond(TEXTS[(number + 1) % 4], options=options)
    session.add(Turn("user", "And then?"))
    chunks = list(session.stream(TEXTS[(number + 2) % 4], options=options))
    return [first.samples, *(chunk.samples for chunk in chunks)]


@pytest.mark.parametrize("stands_back", [True, False])
def test_decoding_stands_back_where_it_is_told_to(
    talker: Talker, stands_back: bool, monkeypatch: pytest.MonkeyPatch
):
    waited: list[float] = []
    monkeypatch.setattr(Processors, "wait_for_one", lambda _, seconds: waited.append(seconds))
    decoder, mask = talker.decoder("fp32"), talker.layout.mask
    decoding = SharedDecoding(decoder, mask=mask, stands_back=stands_back)
    alone = speak(talker, 0, None)
    assert all(np.array_equal(a, b) for a, b in zip(alone, speak(talker, 0, decoding), strict=True))
    decoding.close()
    assert len(waited) >= decoding.steps > 0 if stands_back else not waited
    assert all(seconds > 0 for seconds in waited)


def test_decoding_goes_on_while_every_processor_renders(talker: Talker):
    """It waits for a moment, not for a place: nobody gives one back here."""
    decoder, mask = talker.decoder("fp32"), talker.layout.mask
    decoding = SharedDecoding(decoder, mask=mask, renders=1, stands_back=True)
    context = talker.session(agent="anna", decoding=decoding).context
    with decoding.rendering:
        columns = context.prefix(talker.encode_text("Good morning.", "en")[0].ids)
        assert len(list(context.generate(columns, SamplingOptions(max_tokens=8, eos_guard=8)))) == 8
    decoding.close()


def test_sessions_together_speak_as_each_alone(talker: Talker, decoding: SharedDecoding):
    alone = [speak(talker, number, None) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda number: speak(talker, number, decoding), range(4)))
    for one, other in zip(alone, together, strict=True):
        assert len(one) == len(other)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_cancelled_reply_leaves_the_batch_within_a_step(talker: Talker, decoding: SharedDecoding):
    cancel, seen = threading.Event(), []
    step = decoding._step

    def counted() -> None:
        step()
        seen.append(decoding._batch.running)
        if len(seen) == 3:
            cancel.set()

    decoding._step = counted  # type: ignore[method-assign]
    long = GenerationOptions(precision="fp32", max_seconds=20.0, eos_guard=400)
    with pytest.raises(ReplyCancelled):
        talker.session(agent="anna", decoding=decoding).respond(
            TEXTS[0], options=long, cancel=cancel
        )
    assert len(seen) <= 4
    speech = talker.session(agent="anna", decoding=decoding).respond(TEXTS[0], options=SHORT)
    assert speech.seconds > 0


def test_a_stream_left_early_leaves_the_batch(talker: Talker, decoding: SharedDecoding):
    session = talker.session(agent="anna", decoding=decoding)
    long = GenerationOptions(precision="fp32", max_seconds=20.0, eos_guard=400)
    chunks = session.stream(TEXTS[0], options=long)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    speech = talker.session(agent="anna", decoding=decoding).respond(TEXTS[1], options=SHORT)
    assert speech.seconds > 0 and not decoding._replies
    assert len(session.turns) == 1, "what was spoken is history"
    assert session.respond(TEXTS[1], options=SHORT).seconds > 0


def test_a_failed_step_is_an_error_of_its_replies_only(
    talker: Talker, decoding: SharedDecoding, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: Any) -> None:
        raise RuntimeError("no memory")

    session = talker.session(agent="anna", decoding=decoding)
    with monkeypatch.context() as patch:
        patch.setattr(type(decoding.decoder), "logits", broken)
        with pytest.raises(DecodingFailed):
            session.respond(TEXTS[0], options=SHORT)
    assert session.turns == ()
    assert session.respond(TEXTS[0], options=SHORT).seconds > 0


def test_after_the_end_nobody_waits_for_ever(talker: Talker, decoding: SharedDecoding):
    decoding.close()
    assert not decoding.alive
    with pytest.raises(DecodingFailed):
        talker.session(agent="anna", decoding=decoding).respond(TEXTS[0], options=SHORT)


def test_a_private_continuation_offers_nothing_to_others(talker: Talker):
    session = talker.session(agent="anna")
    before = len(talker.prefixes("fp32", talker.layout.mask))
    session.fork(private=True).respond(TEXTS[0], options=SHORT)
    assert len(talker.prefixes("fp32", talker.layout.mask)) == before
