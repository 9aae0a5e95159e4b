"""docs/extending.md, done: its files written, its entries added, in a copy; then used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.documents import Block, blocks

PAGE = REPOSITORY / "docs" / "extending.md"
# The table of each entry, and what a user then does with it.
USES = {
    "LANGUAGES": """
from GPT_SoVITS.dialogue import Turn
from GPT_SoVITS.text import Frontend

spoken = Frontend()(Turn("anna", "Ĉu vi iras?", "eo").text, "eo")
assert spoken.language == "eo" and spoken.phonemes[:2] == ("CH", "UW1"), spoken
assert not spoken.unknown and not spoken.removed, spoken
""",
    "GENERATORS": """
import torch
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.generators import build_generator

wave = build_generator(S2Config(generator="flat"))(torch.randn(2, 192, 9), torch.randn(2, 512, 1))
assert wave.shape == (2, 1, 9 * 640) and wave.abs().max() <= 1
""",
    "FRAME_KINDS": """
import numpy as np
from prepare_datasets.config import FeatureSource, PrepareConfig
from prepare_datasets.features import feature_recipe

recipe = feature_recipe(PrepareConfig(feature=FeatureSource("levels")))
found = recipe.encoder().raw(np.ones(32_000, np.float32))
assert found.shape == (50, 2) and found.dtype == np.float32
""",
    "MEASURES": """
import numpy as np
from GPT_SoVITS.evaluation.loop.measures import MEASURES, Pair, titles

assert titles()["clipped_share"] == "clipped samples (share)"
pair = Pair(np.zeros(4), np.array([1.0, 0, 0, 0]), 32_000, lambda samples, rate: samples)
assert MEASURES[-1].of(pair) == {"clipped_share": 0.25}
""",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages in which the page was followed."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("GPT_SoVITS", "prepare_datasets"):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    text = PAGE.read_text(encoding="utf-8").split("\n")
    for block in blocks(PAGE):
        place = folder / named_before(text, block)
        if block.language == "python":
            place.parent.mkdir(exist_ok=True)
            assert not place.exists(), f"{place} is there already"
            place.write_text(block.content, encoding="utf-8")
        elif block.language == "text" and "…" in block.content:
            place.write_text(entered(place.read_text("utf-8"), block.content), encoding="utf-8")
    turn = folder / "GPT_SoVITS/dialogue/turn.py"
    codes = re.search(r"`(Language = Literal\[.*?\])`", PAGE.read_text(encoding="utf-8"))
    assert codes
    said, count = re.subn(r"Language = Literal\[.*?\]", codes[1], turn.read_text("utf-8"), count=1)
    assert count == 1
    turn.write_text(said, encoding="utf-8")
    return folder


def named_before(lines: list[str], block: Block) -> str:
    """The last file of the packages that the page names above a block."""
    above = "\n".join(lines[: block.line])
    return re.findall(r"`((?:GPT_SoVITS|prepare_datasets)/[\w/]+\.py)`", above)[-1]


def entered(source: str, block: str) -> str:
    """A module with the block's imports and functions above its table and the new lines in it."""
    before, table, lines = re.split(r"^(\w+: .* = [{(])\n", block, flags=re.MULTILINE)
    new = lines.split("…\n", 1)[1].rstrip().removesuffix(lines.rstrip()[-1])
    start = source.index(f"\n{table}\n") + 1
    end = re.compile(r"^[)}]", flags=re.MULTILINE).search(source, start)
    assert end is not None
    return source[:start] + before + source[start : end.start()] + new + source[end.start() :]


@pytest.mark.parametrize("table", USES)
def test_what_the_page_adds_is_there(table: str, checkout: Path):
    done = subprocess.run(
        [sys.executable, "-c", USES[table]],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
