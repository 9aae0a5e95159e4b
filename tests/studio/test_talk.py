"""Page Talk without a browser: the words of the user's recording are written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.evaluation.asr import Transcript
from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.words import words


class Ear:
    """Hears the same words in everything."""

    def __init__(self, text: str) -> None:
        self.text = text

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        assert len(samples) == 3200 and (sample_rate, language) == (32000, "en")
        return Transcript(self.text)


@pytest.fixture
def page() -> Any:
    pytest.importorskip("gradio")
    from GPT_SoVITS.studio.pages.talk import Talk

    return Talk(None, words("en"), None)  # type: ignore[arg-type]


@pytest.fixture
def sound(tmp_path: Path) -> str:
    return str(save_audio(tmp_path / "said.wav", np.full(3200, 0.1, np.float32)))


def hears(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("GPT_SoVITS.evaluation.asr.open_recognizer", lambda config: Ear(text))


def test_a_recording_s_words_are_written_down(
    page: Any, sound: str, monkeypatch: pytest.MonkeyPatch
):
    hears(monkeypatch, " where is my parcel ")
    assert page.listen(sound, "auto") == "where is my parcel"


@pytest.mark.parametrize(
    ("given", "language", "heard", "said"),
    [
        (False, "auto", "", "Record or choose a sound"),
        (True, "zh", "", "hears English only"),
        (True, "en", " ", "No words were understood"),
    ],
)
def test_what_cannot_be_written_down_is_said_in_a_sentence(
    page: Any,
    sound: str,
    monkeypatch: pytest.MonkeyPatch,
    given: bool,
    language: str,
    heard: str,
    said: str,
):
    hears(monkeypatch, heard)
    with pytest.raises(StudioError, match=said):
        page.listen(sound if given else None, language)
