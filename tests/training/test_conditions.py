"""`lora.condition`: an adapter that brings its voice as a vector, from training to speaking."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from GPT_SoVITS.__main__ import main as command
from GPT_SoVITS.adapters.condition import CONDITION
from GPT_SoVITS.adapters.file import load_adapter
from GPT_SoVITS.inference.talker import Talker
from tests.training.test_lora import lora, speakers_of, talker

__all__ = ["talker"]
BOTH = ('--lora.speakers=["*"]', "--lora.condition=true")


@pytest.fixture(scope="module")
def folder(talker: Path, prepared_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of all voices, each with a condition of its own."""
    run = tmp_path_factory.mktemp("conditions")
    return lora("s2", talker, prepared_demo, run, *BOTH, steps=8)


def test_every_voice_gets_a_condition_that_learns(
    talker: Path, prepared_demo: Path, folder: Path, tmp_path: Path
) -> None:
    starts = lora("s2", talker, prepared_demo, tmp_path, *BOTH, "--optimizer.lr=1e-12", steps=1)
    moved = 0
    for place in starts.glob("*/s2.safetensors"):
        start, end = (
            load_adapter(p).tensors[CONDITION]
            for p in (place, folder / place.parent.name / "s2.safetensors")
        )
        moved += not torch.allclose(start, end, atol=1e-4)
    assert len(list(folder.iterdir())) == len(speakers_of(prepared_demo))
    assert moved >= 2, "each batch moves the condition of its own voice"


def test_it_speaks_without_a_reference_and_merging_is_refused(
    talker: Path, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    base = Talker.load(talker, device="cpu")
    name = sorted(p.name for p in folder.iterdir())[0]
    own = base.with_adapter(folder / name)
    assert own.has_own_voice and not base.has_own_voice
    with pytest.raises(ValueError, match="no voice for speaker"):
        base.speak(None, "Hello.", language="en", seed=0)
    samples = own.speak(None, "Hello.", language="en", seed=0).samples
    assert len(samples) and abs(samples).max() > 0
    merge = [
        "merge-lora",
        str(talker),
        "--adapter",
        str(folder / name),
        "--output",
        str(tmp_path / "m"),
    ]
    assert command(merge) == 2
    assert "learned condition" in caplog.text
    assert not (tmp_path / "m").exists()


def test_a_resumed_condition_is_that_of_an_uninterrupted_run(
    talker: Path, prepared_demo: Path, folder: Path, tmp_path: Path
) -> None:
    lora("s2", talker, prepared_demo, tmp_path, *BOTH, steps=4)
    cut = lora("s2", talker, prepared_demo, tmp_path, *BOTH, steps=8)
    for path in folder.glob("*/s2.safetensors"):
        assert (cut / path.relative_to(folder)).read_bytes() == path.read_bytes()
