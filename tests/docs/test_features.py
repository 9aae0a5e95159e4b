"""docs/features.md: every feature has a test that exists and a section that describes it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.documents import anchors

PAGE = REPOSITORY / "docs" / "features.md"
SOURCES = json.loads((Path(__file__).parent / "feature_sources.json").read_text(encoding="utf-8"))
"""`table`: the ids of the merged table of published systems. `lines`: which rows answer a line of
the list of features, by a digest of the line, so that a new or changed line has none."""
ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (.+?) \| (.+?) \|$")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SECTION = re.compile(r"\[[^\]]+\]\(([\w/]+\.md)#([\w-]+)\)")


def rows() -> dict[str, tuple[str, str, str]]:
    """id -> (feature, tests, sections)."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if match := ROW.match(line):
            assert match[1] not in found, f"{match[1]} stands twice"
            found[match[1]] = (match[2], match[3], match[4])
    return found


ROWS = rows()


def digest(line: str) -> str:
    """A line, whatever its spaces."""
    return hashlib.sha256(" ".join(line.split()).encode()).hexdigest()[:12]


def feature_lines(text: str) -> list[str]:
    """The lines that say something: no titles, no gaps, no introduction before the first title."""
    _, _, body = text.partition("\n## ")
    lines = ("## " + body).splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def functions(path: Path) -> set[str]:
    """Names of a module's test functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS)
def test_a_feature_has_a_test_and_a_section(row: str):
    _, tests, sections = ROWS[row]
    named = TEST.findall(tests)
    assert named, f"{row}: no test"
    for file, function in named:
        path = REPOSITORY / file
        assert path.is_file() and function in functions(path), f"{row}: no {file}::{function}"
    linked = SECTION.findall(sections)
    assert linked, f"{row}: no section"
    for page, anchor in linked:
        path = PAGE.parent / page
        assert path.is_file() and anchor in anchors(path), f"{row}: no section {page}#{anchor}"


def test_every_row_of_the_page_is_read():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    written = [line for line in lines if line.startswith("| ")]
    heads = [line for line in written if line.startswith(("| id |", "| --- |"))]
    assert len(ROWS) == len(written) - len(heads) and ROWS


def test_every_feature_of_the_published_systems_has_a_row():
    wanted = {*SOURCES["table"], *(row for ids in SOURCES["lines"].values() for row in ids)}
    assert SOURCES["table"] and all(SOURCES["lines"].values())
    assert not wanted - set(ROWS), f"no row: {sorted(wanted - set(ROWS))}"


def test_every_line_of_the_list_has_a_row(shared: Path):
    text = (shared / "features.md").read_text(encoding="utf-8")
    missing = [line for line in feature_lines(text) if digest(line) not in SOURCES["lines"]]
    assert not missing, "features without a row:\n" + "\n".join(missing)
    table = (shared / "published_systems.md").read_text(encoding="utf-8")
    ids = re.findall(r"^\| ([A-Z]\d+) \|", table, flags=re.M)
    assert ids and not set(ids) - set(SOURCES["table"])


def test_a_new_line_would_be_missed():
    known = "- Input names\n"
    assert feature_lines(f"# Title\nIntro.\n\n## System\n{known}\n") == [known.strip()]
    assert digest("a  b") == digest("a b ") != digest("a c")
