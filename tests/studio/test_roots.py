"""Only what lies in the chosen folders is read or written, whatever a person types."""

from __future__ import annotations

from pathlib import Path

import pytest

from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.roots import Roots


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.txt").write_text("key")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    return Roots([tmp_path / "data"])


def test_a_folder_inside_is_found(roots: Roots):
    inside = roots.folders[0] / "mine"
    assert roots.resolve(str(inside), must_exist=True) == inside
    assert roots.resolve(str(inside / "new")) == inside / "new"


@pytest.mark.parametrize(
    "typed", ["../secret", "../secret/key.txt", "link/key.txt", "/etc/passwd", "..", "a\0b", "a\nb"]
)
def test_everything_else_gets_one_and_the_same_answer(roots: Roots, typed: str):
    path = typed if typed.startswith("/") else f"{roots.folders[0]}/{typed}"
    with pytest.raises(StudioError, match="is not in the folders the studio may use"):
        roots.resolve(path, must_exist=True)


def test_an_absent_file_outside_and_an_existing_one_cannot_be_told_apart(roots: Roots):
    outside = roots.folders[0].parent / "secret"
    answers = set()
    for name in ("key.txt", "nothing.txt"):
        with pytest.raises(StudioError) as refused:
            roots.resolve(outside / name, must_exist=True)
        answers.add(str(refused.value).replace(name, ""))
    assert len(answers) == 1


def test_nothing_typed_asks_for_a_choice(roots: Roots):
    with pytest.raises(StudioError, match="choose one"):
        roots.resolve("  ")


def test_links_are_not_walked_into(roots: Roots):
    assert list(roots.containing("key.txt")) == []
