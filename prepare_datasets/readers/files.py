"""Walking a corpus folder and taking names apart, without globbing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prepare_datasets.ledger import Entry
from prepare_datasets.readers.turn import STAGE, notice

AUDIO = {".wav", ".flac", ".mp3", ".ogg"}
FOREIGN_AUDIO = {".m4a", ".aac", ".wma", ".opus", ".aiff", ".amr"}
TURN_NAME = re.compile(r"(?P<turn>\d{1,9})_(?P<speaker>.+)_d(?P<dialogue>[^_].*)")
HEAD = re.compile(r"(?P<turn>\d{1,9})_(?P<speaker>.+)")
SKIPPED_FOLDERS = {"__MACOSX"}
MAX_PART = 120  # bytes of one part of an id, which becomes a file name


@dataclass(frozen=True)
class TurnName:
    """`<turn>_<speaker>_d<dialogue>` taken apart."""

    turn: int
    speaker: str
    dialogue: str


def parse_turn_name(stem: str, *, folder: str = "") -> TurnName | None:
    """`3_12_d400` -> turn 3, speaker 12, dialogue 400; None where the name has another form.

    `3_1_dmy_day` could be dialogue my_day or ay: a `folder` of one of the names decides.
    """
    ending = f"_d{folder}"
    if folder and stem.endswith(ending) and (head := HEAD.fullmatch(stem.removesuffix(ending))):
        return TurnName(int(head["turn"]), head["speaker"], folder)
    match = TURN_NAME.fullmatch(stem)
    if match is None:
        return None
    return TurnName(int(match["turn"]), match["speaker"], match["dialogue"])


def usable_id(name: str) -> bool:
    """Whether a dialogue's name can be a path below the output folder; parts are split at `/`."""
    parts = name.split("/")
    hostile = any(ord(char) < 32 or char == "\\" for char in name)
    return not hostile and all(
        part not in ("", ".", "..") and len(part.encode("utf-8", "replace")) <= MAX_PART
        for part in parts
    )


def natural(text: str) -> list[tuple[int, int, str]]:
    """Sorting key in which d2 comes before d10."""
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def printable(name: str) -> str:
    """A file name that is no UTF-8 (lone surrogates) as text that can be written."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass
class Walk:
    """A corpus folder, each place once; links to folders are not followed."""

    root: Path

    def __iter__(self) -> Iterator[tuple[Path, list[str]] | Entry]:
        """(folder, its files) in natural order, and entries for what is not looked into."""
        failures: list[Entry] = []

        def failed(error: OSError) -> None:
            path = self.relative(Path(error.filename))
            message = f"the folder cannot be read: {error.strerror}"
            failures.append(Entry(path, path, STAGE, "unreadable_folder", message))

        linked: set[tuple[int, int]] = set()
        for place, folders, files in os.walk(self.root, followlinks=False, onerror=failed):
            folder = Path(place)
            yield from self._not_entered(folder, folders)
            folders.sort(key=natural)
            names = []
            for name in sorted(files, key=natural):
                if (folder / name).is_symlink() and self._seen(folder / name, linked):
                    yield notice(self.relative(folder / name), "same_file", "a link, read once")
                else:
                    names.append(name)
            yield folder, names
            yield from failures
            failures.clear()
        yield from failures

    def relative(self, path: Path) -> str:
        """As the ledger names it."""
        return printable(path.relative_to(self.root).as_posix())

    def _not_entered(self, folder: Path, folders: list[str]) -> Iterator[Entry]:
        for name in sorted(folders):
            path = self.relative(folder / name)
            if (folder / name).is_symlink():
                yield notice(path, "linked_folder", "a link to a folder, not followed")
            elif Path(name).suffix.lower() in AUDIO:
                yield notice(path, "folder_like_audio", "a folder with the name of a recording")
            elif name.startswith(".") or name in SKIPPED_FOLDERS:
                yield notice(path, "hidden_folder", "hidden folder, not looked into")
                folders.remove(name)

    @staticmethod
    def _seen(path: Path, linked: set[tuple[int, int]]) -> bool:
        try:
            state = path.stat()
        except OSError:
            return False  # a broken link: whoever opens it says so
        key = (state.st_dev, state.st_ino)
        known = key in linked
        linked.add(key)
        return known
