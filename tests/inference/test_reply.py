"""A reply: long texts, markup, cancelling, several references."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GPT_SoVITS import Dialogue, Talker, Turn
from GPT_SoVITS.audio.constants import SAMPLE_RATE, SAMPLES_PER_TOKEN
from GPT_SoVITS.inference.cancel import ReplyCancelled
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.script import Line, Silence, script_of
from GPT_SoVITS.inference.speech import joined_chunks
from GPT_SoVITS.inference.timing import words_of
from GPT_SoVITS.inference.voice import VoiceError
from GPT_SoVITS.text import TextError
from tests.tiny_talker import voice

SHORT = GenerationOptions(max_seconds=1.0)
LONG = "I will look that up for you. " * 3 + "One moment please, and then we will know."
CUT = GenerationOptions(max_seconds=4.0, longest_part=20, part_pause=0.1, top_k=5)


@pytest.fixture(scope="module")
def talker(talker_folder: Path) -> Talker:
    return Talker.load(talker_folder, device="cpu")


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Untrained weights do not end by themselves: every line has at most 12 tokens."""
    generate = DialogueContext.generate

    def short(self: DialogueContext, columns: Any, options: Any, *rest: Any, **given: Any) -> Any:
        few = min(12, options.max_tokens)
        return generate(self, columns, dataclasses.replace(options, max_tokens=few), *rest, **given)

    monkeypatch.setattr(DialogueContext, "generate", short)


class After:
    """Set after it was asked this many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_a_long_text_is_cut_by_meaning_with_pauses() -> None:
    assert script_of("Short.", CUT) == [Line("Short.")]
    script = script_of(LONG, CUT)
    lines = [part for part in script if isinstance(part, Line)]
    assert len(lines) > 2 and "".join(line.text for line in lines) == LONG
    assert script[1::2] == [Silence(0.1)] * (len(lines) - 1)
    assert script_of(LONG, dataclasses.replace(CUT, longest_part=0)) == [Line(LONG)]


def test_markup_gives_breaks_speeds_and_voices() -> None:
    marked = '<speak>Hello <break time="1s"/><prosody rate="80%">slow</prosody></speak>'
    script = script_of(marked, dataclasses.replace(CUT, speed=1.5))
    assert script == [Line("Hello ", 1.5), Silence(1.0), Line("slow", 1.5 * 0.8)]
    with pytest.raises(TextError, match="speed"):
        script_of(
            '<speak><prosody rate="2.0">x</prosody></speak>', dataclasses.replace(CUT, speed=1.5)
        )
    with pytest.raises(TextError, match="nothing to speak"):
        script_of('<speak><break time="1s"/></speak>', CUT)


def test_a_long_reply_is_one_turn_of_history(talker: Talker, short_lines: None) -> None:
    session = talker.session(agent="anna", options=CUT)
    reply = session.respond(LONG)
    (turn,) = session.turns
    assert turn.turn.text == LONG and turn.encoded.codes.tolist() == list(reply.codes)
    assert len(turn.encoded.phonemes) == len(reply.phonemes)
    silences = len(reply.samples) - len(reply.codes) * SAMPLES_PER_TOKEN
    assert silences > 0 and silences % round(0.1 * SAMPLE_RATE) == 0
    assert len(session.context.turns) == 1


def test_a_long_reply_streams_the_same_tokens_and_length(talker: Talker, short_lines: None) -> None:
    whole = talker.speak(None, LONG, speaker="anna", options=CUT)
    session = talker.session(agent="anna", options=CUT)
    chunks = list(session.stream(LONG))
    assert tuple(code for chunk in chunks for code in chunk.codes) == whole.codes
    assert sum(len(chunk.samples) for chunk in chunks) == len(whole.samples)
    assert [chunk.finished for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert session.turns[0].encoded.codes.tolist() == list(whole.codes)


def test_max_seconds_is_for_the_whole_reply_and_reported(talker: Talker) -> None:
    options = dataclasses.replace(CUT, max_seconds=1.0)
    reply = talker.speak(None, LONG, speaker="anna", options=options)
    assert reply.cut and len(reply.codes) <= 25
    *_, last = talker.stream(None, LONG, speaker="anna", options=options)
    assert last.cut and last.finished


def test_a_cancelled_reply_stops_between_tokens_and_keeps_nothing(talker: Talker) -> None:
    session = talker.session(agent="anna", options=SHORT)
    with pytest.raises(ReplyCancelled):
        session.respond("good morning", cancel=After(5))
    assert not session.turns and not session.context.turns
    alone = talker.session(agent="anna", options=SHORT).respond("good morning")
    assert session.respond("good morning").codes == alone.codes


def test_a_cancelled_stream_keeps_what_was_spoken(talker: Talker) -> None:
    options = dataclasses.replace(CUT, first_chunk_tokens=2, lookahead_tokens=1)
    session, cancel = talker.session(agent="anna", options=options), threading.Event()
    stream = session.stream(LONG, cancel=cancel)
    first = next(stream)
    cancel.set()
    with pytest.raises(ReplyCancelled):
        next(stream)
    assert session.turns[0].encoded.codes.tolist() == list(first.codes)


def test_wrong_input_of_a_stream_is_an_error_of_the_call(talker: Talker) -> None:
    with pytest.raises(VoiceError, match="nobody"):
        talker.stream(None, "hello", speaker="nobody")
    with pytest.raises(TextError):
        talker.stream(None, "!!!", speaker="anna")
    with pytest.raises(VoiceError, match="references"):
        talker.stream(None, "hello", speaker="anna", reference_audio=[])


def test_several_references_are_averaged_in_any_order(talker: Talker) -> None:
    one, two = voice(120, 1.0), voice(300, 1.2)

    def spoken(*references: np.ndarray) -> np.ndarray:
        options = dataclasses.replace(SHORT, top_k=1)
        return talker.speak(None, "hello", reference_audio=references, options=options).samples

    assert np.allclose(spoken(one, two), spoken(two, one), atol=1e-6)
    assert not np.allclose(spoken(one, two), spoken(one), atol=1e-6)
    assert np.array_equal(spoken(one), spoken(one))


def test_markup_changes_the_voice_of_a_line(talker: Talker) -> None:
    marked = '<speak>hello <voice name="anna">hello</voice></speak>'
    session = talker.session(agent="anna", options=SHORT)
    session.add(Turn("anna", "low", audio=None), samples=voice(90, 1.0))
    assert len(session.respond(marked).codes) > 0
    with pytest.raises(VoiceError, match="bob"):
        talker.speak(Dialogue(()), '<speak><voice name="bob">hello</voice></speak>', speaker="anna")


@pytest.mark.usefixtures("short_lines")
def test_a_stream_has_the_lines_and_words_of_the_whole(talker: Talker) -> None:
    whole = talker.speak(None, LONG, speaker="anna", options=CUT)
    joined = joined_chunks(list(talker.stream(None, LONG, speaker="anna", options=CUT)))
    assert len(joined.samples) == len(whole.samples) and joined.codes == whole.codes
    assert len(whole.lines) > 2 and joined.lines == whole.lines
    pause = round(CUT.part_pause * SAMPLE_RATE)
    assert all(b.start - a.end == pause for a, b in zip(whole.lines, whole.lines[1:]))
    assert (whole.lines[0].start, whole.lines[-1].end) == (0, len(whole.samples))
    words = words_of(whole, talker.frontend.config)
    assert [w.text for w in words[-3:]] == ["we", "will", "know"]
    assert words[-3].start >= whole.lines[-1].start / SAMPLE_RATE
