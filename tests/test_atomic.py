"""A file that is written appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from GPT_SoVITS.atomic import replacing, write_text


def test_the_old_file_is_read_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "old\n")
    with replacing(path) as partial:
        partial.write_text("ne", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old\n"
        partial.write_text("new", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_after_an_error_the_old_file_stays_and_nothing_lies_beside_it(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old\n")
    with pytest.raises(type(error)), replacing(path) as partial:
        partial.write_text("ne", encoding="utf-8")
        raise error
    assert path.read_text(encoding="utf-8") == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first", encoding="utf-8")
        second.write_text("second", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == "first", "the last to end is the one that stays"


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    write_text(tmp_path / "a.csv", "a,b\r\nc,d\n")
    assert (tmp_path / "a.csv").read_bytes() == b"a,b\r\nc,d\n"
