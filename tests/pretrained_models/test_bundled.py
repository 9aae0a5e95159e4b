"""The bundled model as it lies in the repository: small, whole, and it converses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS import Dialogue, Talker
from GPT_SoVITS.audio.constants import HOP_LENGTH, SAMPLE_RATE
from GPT_SoVITS.audio.pitch import track_pitch
from GPT_SoVITS.checkpoints.talker_folder import read_talker
from GPT_SoVITS.inference import cli
from GPT_SoVITS.inference.bundled import bundled_model
from GPT_SoVITS.server.config import ServeConfig
from tests.conftest import REPOSITORY

MEGABYTES = 25
EXAMPLES = REPOSITORY / "examples" / "dialogues"


@pytest.fixture(scope="module")
def talker() -> Talker:
    return Talker.load(bundled_model(), device="cpu", precision="fp32")


def pitch_of(samples: np.ndarray) -> float:
    f0, _ = track_pitch(samples, sample_rate=SAMPLE_RATE, hop_length=HOP_LENGTH)
    return float(np.median(f0[f0 > 0]))


def test_it_is_small_and_has_a_card() -> None:
    folder = bundled_model()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size <= MEGABYTES * 10**6
    card = (folder / "README.md").read_text(encoding="utf-8")
    for part in ("## Data", "## Training", "## Measured", "## Limits", "## Licence"):
        assert part in card


def test_its_voices_are_those_of_the_card() -> None:
    speakers = read_talker(bundled_model()).speakers
    assert len(speakers) == 8
    card = (bundled_model() / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in card for name in speakers)


def test_it_speaks_where_no_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(ServeConfig().model).samefile(bundled_model())
    text = ["--text", "I will be there at ten.", "--speaker", "demo/en_f2"]
    assert cli.speak([*text, "--output", "said.wav", "--device", "cpu"]) == 0
    assert (tmp_path / "said.wav").stat().st_size > SAMPLE_RATE


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_reply_follows_how_the_user_sounds(talker: Talker, language: str) -> None:
    """The same words after the same words: high after an excited user, low and slow after a tired
    one; every reply ends by itself."""
    said = {
        style: talker.speak(Dialogue.load(EXAMPLES / f"{language}_{style}.json"), seed=0)
        for style in ("excited", "tired")
    }
    assert not any(speech.cut or speech.reports[0].collapses for speech in said.values())
    assert pitch_of(said["excited"].samples) > 1.3 * pitch_of(said["tired"].samples)
    assert said["tired"].seconds > said["excited"].seconds
