"""The committed figures are what their scripts draw."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"


@pytest.mark.parametrize("name", ["data_way", "layout"])
def test_the_committed_figure_is_what_its_script_draws(name: str):
    drawn = runpy.run_path(str(FIGURES / f"{name}.py"))["draw"]()
    assert (FIGURES / f"{name}.svg").read_text(encoding="utf-8") == drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
