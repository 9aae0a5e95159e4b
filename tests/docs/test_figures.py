"""The committed figure is what its script draws."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"


def test_the_committed_figure_is_what_its_script_draws():
    drawn = runpy.run_path(str(FIGURES / "data_way.py"))["draw"]()
    assert (FIGURES / "data_way.svg").read_text(encoding="utf-8") == drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
