"""The site: every page is listed once, and the API pages show what the source says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.documents import links

DOCS = REPOSITORY / "docs"
package_pages = runpy.run_path(str(DOCS / "reference.py"))["package_pages"]
API = sorted((DOCS / "api").glob("*.md"))


def listed() -> list[Path]:
    """Pages the index leads to, in order."""
    targets = [target for target in links(DOCS / "index.md") if target.endswith(".md")]
    return [(DOCS / target).resolve() for target in targets]


def test_the_index_lists_every_page_of_docs():
    pages = {page for page in DOCS.rglob("*.md") if page != DOCS / "index.md"}
    assert pages <= set(listed())


def test_every_package_has_an_api_page():
    packages = {path.parent.name for path in (REPOSITORY / "GPT_SoVITS").glob("*/__init__.py")}
    assert packages | {"prepare_datasets"} == {page.stem for page in API}


@pytest.mark.parametrize("page", API, ids=lambda page: page.stem)
def test_an_api_page_shows_its_package(page: Path):
    named = re.search(r":::\{package\} (\S+)", page.read_text(encoding="utf-8"))
    assert named and named[1].endswith(page.stem)
    shown = package_pages(named[1])
    assert f"## {named[1]}" in shown and "\n### " in shown


def test_signatures_fields_and_docstrings_are_shown():
    shown = package_pages("GPT_SoVITS.dialogue.turn")
    assert "load(cls, path: str | Path) -> Dialogue" in shown
    assert "- `audio: str | None = None`: Path of the recording, or None" in shown
    assert "Read ``dialogue.json``; audio paths in it are relative to the file." in shown
    assert "_turn" not in shown


def test_drawings_are_kept_and_signs_of_markdown_are_escaped():
    assert "````text\nsession = talker.session()" in package_pages("GPT_SoVITS.inference.session")
    assert r"\<laugh\>" in package_pages("GPT_SoVITS.text.config")


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="GPT_SoVITS.nothing: no such package"):
        package_pages("GPT_SoVITS.nothing")
