"""The best of several replies: by likelihood and length, and by what a recogniser hears."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.collapse import Collapse
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.hearing import RecogniserError, compare, listen
from GPT_SoVITS.inference.nbest import BestOf, Candidate, ranked
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.inference.test_context import GROWING, turn
from tests.s1_gpt.dialogues import small_model

OPTIONS = GenerationOptions(max_seconds=1.5, top_k=50)


def candidate(likely: float, n: int, **fields: Any) -> Candidate:
    """n tokens of that log-probability, at a usual rate."""
    given = {"ended": True, "rate": 10.0} | fields
    return Candidate(tuple(range(n)), likely, cache=None, **given)  # type: ignore[arg-type]


def test_likelihood_and_length_decide_and_what_is_broken_comes_last() -> None:
    short, long = candidate(-50, 20), candidate(-80, 50)
    assert ranked([short, long]) == [long, short]  # -2.5 and -1.6 per token
    assert ranked([short, long], 0.0) == [short, long]  # the sum prefers the short
    loop = candidate(-1, 50, collapse=Collapse("loop", 3, 30, 2))
    endless, rushed = candidate(-1, 50, ended=False), candidate(-1, 3, rate=60.0)
    found = ranked([loop, endless, rushed, short, long])
    assert found[:2] == [long, short] and found[-1] is loop


def seeds(k: int) -> torch.Generator:
    """Of candidate k."""
    return torch.Generator().manual_seed(k)


def test_the_best_of_n_is_one_of_the_replies_each_seed_gives_alone() -> None:
    context = DialogueContext(small_model(), agent="a", layout=GROWING, turns=[turn("u", 0)])
    columns, options = context.prefix([1, 2, 3]), SamplingOptions(max_tokens=40)
    best = BestOf(context, columns, options, seeds, candidates=5, phonemes=10)
    spoken = list(best)
    singles = [context.generate(columns, options, seeds(k)) for k in range(5)]
    replies = [list(one) for one in singles]
    per_token = [one.log_probability / len(one.tokens) for one in singles]
    assert spoken == best.tokens and spoken in replies
    assert sorted(c.score(1.0) for c in best.candidates) == pytest.approx(
        sorted(per_token), abs=1e-3
    )
    allowed = [k for k, one in enumerate(singles) if one.ended] or range(5)
    assert spoken == replies[max(allowed, key=lambda k: per_token[k])]
    assert best.cache.length >= len(columns) + len(spoken) - 1


def test_choosing_can_be_cancelled() -> None:
    context, cancel = DialogueContext(small_model(), agent="a", layout=GROWING), threading.Event()
    cancel.set()
    best = BestOf(
        context,
        context.prefix([1]),
        SamplingOptions(),
        seeds,
        candidates=2,
        phonemes=1,
        cancel=cancel,
    )
    with pytest.raises(ReplyCancelled):
        next(best)


def test_words_are_skipped_repeated_leaked_or_added() -> None:
    expected = "please hold the line for me".split()
    heard = "please the the lime for me parcel banana".split()
    found = compare(expected, heard, past={"parcel", "hold"})
    assert found.skipped == () and found.substitutions == 2  # hold -> the, line -> lime
    assert found.leaked == ("parcel",) and found.added == ("banana",)
    assert found.errors == 4 and found.rate == pytest.approx(4 / 6)
    again = compare(expected, "please hold the line the line for me".split())
    assert again.repeated in {("the", "line"), ("line", "the")} and again.errors == 2
    assert compare(expected, "hold the line for me".split()).skipped == ("please",)
    assert compare(expected, expected).rate == 0.0
    assert compare([], ["oh"]).rate == 1.0


class Listener:
    """Hears what it is told, one transcript per attempt."""

    unit = "words"

    def __init__(self, *transcripts: str) -> None:
        self.transcripts, self.asked = list(transcripts), []

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Any:
        assert samples.ndim == 1 and sample_rate == 32_000
        self.asked.append((language, samples))
        return SimpleNamespace(text=self.transcripts[len(self.asked) - 1])


def test_text_and_transcript_meet_in_spoken_form() -> None:
    silence = np.zeros(10, np.float32)
    said = "It's 9 o'clock."
    found = listen(Listener("IT'S NINE o'clock"), silence, said, sample_rate=32_000)
    assert found.rate == 0.0
    listener = Listener("我 九点 点到包裹")
    found = listen(listener, silence, "我９点到。", sample_rate=32_000, history=["包裹在哪"])
    assert listener.asked[0][0] == "zh"
    assert found.repeated == ("点",) and found.leaked == ("包", "裹")


@pytest.fixture(scope="module")
def talker(talker_folder: Path) -> Talker:
    return Talker.load(talker_folder, device="cpu")


def test_a_misunderstood_line_is_said_again_and_the_best_is_kept(talker: Talker) -> None:
    listener = Listener("good mourning", "morning parcel", "no idea what")
    session = talker.session(agent="anna", options=OPTIONS)
    session.add(Turn("user", "Where is my parcel?"))
    speech = session.respond("good morning", recogniser=listener)
    (report,) = speech.reports
    assert [one.rate for one in report.hearings] == [0.5, 1.0, 1.5] and report.chosen == 0
    assert report.hearings[1].skipped == ("good",) and report.hearings[1].leaked == ("parcel",)
    assert np.array_equal(listener.asked[0][1], speech.samples)
    assert not np.array_equal(listener.asked[1][1][:4000], speech.samples[:4000])
    assert session.turns[-1].encoded.codes.tolist() == list(speech.codes)
    alone = talker.session(agent="anna", options=OPTIONS)
    alone.add(Turn("user", "Where is my parcel?"))
    assert alone.respond("good morning").codes == speech.codes  # the first attempt is the usual one
    for one in (session, alone):
        one.add(Turn("user", "And now?"))
    assert session.respond("so").codes == alone.respond("so").codes


def test_a_line_that_is_understood_is_said_once(talker: Talker) -> None:
    listener = Listener("Good morning!")
    speech = talker.speak(
        None, "good morning", speaker="anna", options=OPTIONS, recogniser=listener
    )
    assert len(listener.asked) == 1 and speech.reports[0].hearings[0].rate == 0.0


def test_a_later_attempt_may_win(talker: Talker) -> None:
    listener = Listener("nothing", "good morning")
    speech = talker.speak(
        None, "good morning", speaker="anna", options=OPTIONS, recogniser=listener
    )
    assert speech.reports[0].chosen == 1 and np.array_equal(listener.asked[1][1], speech.samples)


def test_a_recogniser_of_phones_is_refused_before_any_network_runs(talker: Talker) -> None:
    with pytest.raises(RecogniserError, match="hears phones"):
        talker.speak(None, "hi", speaker="anna", recogniser=SimpleNamespace(unit="phones"))  # type: ignore[arg-type]


def test_candidates_are_an_option_of_speaking_and_of_streaming(talker: Talker) -> None:
    options = dataclasses.replace(OPTIONS, candidates=3)
    speech = talker.speak(None, "good morning", speaker="anna", options=options)
    assert len(speech.reports[0].scores) == 3
    *_, last = chunks = list(talker.stream(None, "good morning", speaker="anna", options=options))
    assert tuple(code for chunk in chunks for code in chunk.codes) == speech.codes
    assert last.reports[0].scores == pytest.approx(speech.reports[0].scores)
    assert talker.speak(None, "good morning", speaker="anna", options=options).codes == speech.codes


def test_silences_of_a_reply_are_shortened_and_counted(talker: Talker) -> None:
    assert talker.silent_codes and all(isinstance(code, int) for code in talker.silent_codes)
    plain = talker.speak(None, "good morning", speaker="anna", options=OPTIONS)
    twin = Talker.load(talker.folder, device="cpu")  # type: ignore[arg-type]
    twin._silence = lambda: frozenset(plain.codes)  # everything is silence to it
    options = dataclasses.replace(OPTIONS, longest_silence=0.2, collapse_retries=0)
    session = twin.session(agent="anna", options=options)
    short = session.respond("good morning")
    assert short.codes == plain.codes[:5]
    assert short.reports[0].shortened == len(plain.codes) - 5
    assert len(short.samples) == 5 * 1280
    rebuilt = type(session).rebuild(twin, session.turns, agent="anna", options=options)
    assert session.respond("and more").codes == rebuilt.respond("and more").codes
