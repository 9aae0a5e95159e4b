"""Words in time: the path never goes back, marks take the silence, subtitles are well formed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.inference.speech import Speech, SpokenLine, joined_chunks
from GPT_SoVITS.inference.subtitles import grouped, to_srt
from GPT_SoVITS.inference.timing import (
    SpokenUnit,
    TimedWord,
    align,
    best_path,
    frame_levels,
    timed_words,
    units_of,
    words_of,
)
from GPT_SoVITS.text import Frontend


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend()


def sound(*parts: tuple[float, float]) -> np.ndarray:
    """(seconds, level) each -> noise of these levels."""
    rng = np.random.default_rng(0)
    pieces = [level * rng.standard_normal(round(s * SAMPLE_RATE)) for s, level in parts]
    return np.concatenate(pieces).astype(np.float32)


def spoken(frontend: Frontend, text: str, samples: np.ndarray) -> Speech:
    phonemes = frontend(text, "auto")
    line = SpokenLine(phonemes, 0, len(samples))
    return Speech(samples, phonemes=phonemes.phonemes, lines=(line,))


def test_the_best_path_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        score = rng.standard_normal((6, 4)) * 3
        found = best_path(score)

        def worth(path: tuple[int, ...], score: np.ndarray = score) -> float:
            steps = [path[0], *np.diff(path), len(score[0]) - 1 - path[-1]]
            if min(steps) < 0 or max(steps[1:-1]) > 2 or steps[0] > 1 or steps[-1] > 1:
                return -np.inf
            skips = steps[0] + steps[-1] + sum(step == 2 for step in steps[1:-1])
            return float(sum(score[t, x] for t, x in enumerate(path)) - 2.0 * skips)

        best = max(itertools.product(range(4), repeat=6), key=worth)
        assert tuple(found) == best


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 80))
def test_any_lengths_give_a_path_that_never_goes_back(frames: int, phonemes: int) -> None:
    path = align(["AH1"] * phonemes, np.linspace(-20, -10, frames))
    assert len(path) == frames and (np.diff(path) >= 0).all()
    assert 0 <= path[0] and path[-1] < phonemes


def test_a_mark_takes_the_silence(frontend: Frontend) -> None:
    samples = sound((0.2, 1e-5), (0.6, 0.1), (0.5, 1e-5), (0.7, 0.1), (0.2, 1e-5))
    speech = spoken(frontend, "Hello there, my friend.", samples)
    words = words_of(speech, frontend.config)
    assert [word.text for word in words] == ["Hello", "there", "my", "friend"]
    assert words[0].start == pytest.approx(0.2, abs=0.05)
    assert words[1].end == pytest.approx(0.8, abs=0.05)
    assert words[2].start == pytest.approx(1.3, abs=0.05)
    assert words[3].end == pytest.approx(2.0, abs=0.05)
    assert words[-1].end < 2.1


def test_words_are_in_order_and_inside_the_sound(frontend: Frontend) -> None:
    for text in ("I have 3 cats, and a dog!", "今天天气很好。", "我有3个iPhone，你呢？"):
        speech = spoken(frontend, text, sound((1.5, 0.1)))
        words = words_of(speech, frontend.config)
        assert len(words) >= 5
        times = [t for word in words for t in (word.start, word.end)]
        assert times == sorted(times) and times[0] >= 0 and times[-1] <= 1.5 + 0.01


def test_units_have_all_phonemes(frontend: Frontend) -> None:
    for text in ("It's 10:30, isn't it?", "重庆在中国。", "NASA 发射了 3 颗卫星!", "<x> hi"):
        phonemes = frontend(text.replace("<x> ", ""), "auto")
        units = list(units_of(phonemes, frontend.config))
        assert sum(unit.phonemes for unit in units) == len(phonemes)


def test_a_line_in_the_middle_counts_from_the_start_of_the_reply() -> None:
    units = [SpokenUnit("a", 1), SpokenUnit("", 1), SpokenUnit("b", 2)]
    words = timed_words(units, np.array([0, 0, 1, 2, 3, 3]), 2.0)
    assert words == [TimedWord("a", 2.0, 2.04), TimedWord("b", 2.06, 2.12)]


def test_chunks_joined_have_their_lines(frontend: Frontend) -> None:
    samples = sound((1.0, 0.1))
    whole = spoken(frontend, "Good morning.", samples)
    first = Speech(samples[:9000], (1, 2), whole.phonemes, finished=False)
    last = Speech(samples[9000:], (3,), whole.phonemes, lines=whole.lines)
    joined = joined_chunks([first, last])
    assert joined.codes == (1, 2, 3) and joined.phonemes == whole.phonemes and joined.finished
    assert words_of(joined, frontend.config) == words_of(whole, frontend.config)


def test_levels_of_frames() -> None:
    levels = frame_levels(sound((0.1, 0.1), (0.1, 1e-5)))
    assert len(levels) == 10 and levels[:5].min() - levels[5:].max() > 60
    assert len(frame_levels(np.zeros(10, np.float32))) == 1


def test_subtitles() -> None:
    words = [TimedWord("Let", 0.0, 0.2), TimedWord("me", 0.2, 0.3), TimedWord("see", 0.9, 3661.5)]
    assert to_srt(words) == (
        "1\n00:00:00,000 --> 00:00:00,300\nLet me\n\n2\n00:00:00,900 --> 01:01:01,500\nsee\n"
    )
    assert to_srt([]) == ""


def test_hanzi_stand_together_and_lines_stay_short() -> None:
    words = [TimedWord(one, i / 10, (i + 1) / 10) for i, one in enumerate("今天天气很好" * 8)]
    cues = grouped(words)
    assert len(cues) > 1 and max(map(len, cues)) <= 21
    assert "今天天气很好" in to_srt(words)
