"""Which folders the studio may read and write: everything a person types goes through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from GPT_SoVITS.studio.errors import StudioError

MAX_DEPTH = 4
MAX_FOUND = 200


class Roots:
    """The chosen folders. A path is allowed when it lies in one, links followed."""

    def __init__(self, folders: Sequence[str | Path]) -> None:
        self.folders = tuple(Path(folder).resolve() for folder in folders)
        if not self.folders:
            raise StudioError("no root folder is given; use --roots FOLDER …")

    def resolve(self, typed: str | Path | None, *, must_exist: bool = False) -> Path:
        """What a person typed -> an absolute path inside a root.

        Absent and forbidden places get the same answer: nobody learns here what else is on the
        machine. Raises `StudioError`.
        """
        text = str(typed or "").strip()
        if not text:
            raise StudioError("a folder or file is missing: choose one in the form")
        refused = StudioError(
            f"{text!r} is not in the folders the studio may use ({self.names()}), or does not exist"
        )
        if "\0" in text or "\n" in text:
            raise refused
        try:
            path = Path(text).resolve()
            fine = any(path == root or path.is_relative_to(root) for root in self.folders)
            if not fine or (must_exist and not (path.is_file() or path.is_dir())):
                raise refused
        except (OSError, ValueError, RuntimeError):
            raise refused from None
        return path

    def names(self) -> str:
        """The roots, for a message."""
        return ", ".join(shown(folder) for folder in self.folders)

    def containing(self, name: str, *, depth: int = MAX_DEPTH) -> Iterator[Path]:
        """Folders below the roots that hold a file of this name; links are not followed."""
        count = 0
        for root in self.folders:
            for folder in _folders(root, depth):
                if (folder / name).is_file():
                    yield folder
                    count += 1
                    if count >= MAX_FOUND:
                        return


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if not folder.is_dir():
        return
    yield folder
    if depth == 0:
        return
    try:
        inside = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return
    for entry in inside:
        if entry.is_dir() and not entry.is_symlink():
            yield from _folders(entry, depth - 1)


def shown(path: Path) -> str:
    """A path as short as it can be said: relative to where the studio was started."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() or "." if path.is_relative_to(here) else str(path)
