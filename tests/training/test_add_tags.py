"""Tags for a talker: new rows lie at the mean, and all else stays bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from GPT_SoVITS.__main__ import main as command
from GPT_SoVITS.adapters.rows import APART, PHONEME_TABLES
from GPT_SoVITS.checkpoints import load_s1, load_s2
from GPT_SoVITS.inference.talker import Talker
from tests.adapters.test_lora import columns
from tests.training.test_lora import talker

__all__ = ["talker"]
TAGS = "<LAUGHS>,<GIGGLES>,<SIGHS>,<CHUCKLES>"
LOADERS = {"s1": load_s1, "s2": load_s2}


def test_new_rows_lie_at_the_mean_and_everything_else_stays(talker: Path, tmp_path: Path) -> None:
    output = tmp_path / "tagged"
    assert command(["add-tags", str(talker), "--tags", TAGS, "--output", str(output)]) == 0
    for kind, load in LOADERS.items():
        (before, header), (after, changed) = (
            load(p / f"{kind}.safetensors") for p in (talker, output)
        )
        assert changed.tags == (*header.tags, *TAGS.split(","))
        name = f"{PHONEME_TABLES[kind]}.weight"
        old, new = before.state_dict(), after.state_dict()
        n, mean = len(old[name]), old[name].mean(0)
        assert torch.equal(new[name][:n], old[name]) and len(new[name]) == n + 4
        rows = new[name][n:]
        assert ((rows - mean).abs() <= 1.01 * APART * mean.abs() + 1e-9).all()
        assert not torch.equal(rows[0], rows[1])
        assert all(torch.equal(new[k], v) for k, v in old.items() if k != name)
    plain, tagged = (Talker.load(p, device="cpu") for p in (talker, output))
    ids = plain.frontend("Hello there.", "en").ids
    assert tagged.frontend("Hello there.", "en").ids == ids
    with torch.inference_mode():
        assert torch.equal(plain.s1(columns()), tagged.s1(columns()))
    spoken = tagged.frontend("Hello <giggles> there.", "en").ids
    assert len(plain.frontend.symbols) + 1 in spoken
    assert len(tagged.speak(None, "Hi <SIGHS>.", speaker="demo/en_f1", seed=0).samples)


@pytest.mark.parametrize(
    ("tags", "why"), [("a", "tag"), ("<A>,<A>", "new and different"), ("<A>,", "tag")]
)
def test_tags_that_cannot_be_are_refused_before_anything_is_written(
    tags: str, why: str, talker: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "tagged"
    assert command(["add-tags", str(talker), "--tags", tags, "--output", str(output)]) == 2
    assert why in caplog.text and not output.exists()
