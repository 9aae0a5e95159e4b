"""docs/data.md names every code and every config there is."""

from __future__ import annotations

from pathlib import Path

from tests.prepare_datasets.bad_cases import CASES


def test_every_code_of_the_catalogue_is_explained(repository: Path):
    text = (repository / "docs" / "data.md").read_text("utf-8")
    codes = {case.code for case in CASES if case.code}
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def test_every_config_has_a_row(repository: Path):
    text = (repository / "docs" / "data.md").read_text("utf-8")
    configs = {path.name for path in (repository / "configs" / "data").glob("*.yaml")}
    ours = {name for name in configs if not name.startswith("demo")}
    assert sorted(name for name in ours if f"`{name}`" not in text) == []
