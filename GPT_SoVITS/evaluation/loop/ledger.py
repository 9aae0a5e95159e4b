"""The ledger of a run: one line per finished piece of work, written before the next begins.

    {"stage": "speak", "system": "demo", "item": "demo/3/1", "status": "ok", "audio": …}
    {"stage": "score", "system": "demo", "item": "demo/3/1", "status": "error", "message": …}

A killed run loses at most the piece it was at; a line cut short by the kill is dropped on reading.
Every piece has exactly one row, so nothing is done twice.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from GPT_SoVITS.atomic import write_text

Row = dict[str, Any]
Key = tuple[str, str, str]


def key_of(row: Row) -> Key:
    """Stage, system and item: what makes a piece of work."""
    return row["stage"], row["system"], row["item"]


class Ledger:
    """Rows of earlier runs, and an open file for new ones; a context manager."""

    def __init__(self, path: str | Path, *, forget_failed: bool = False) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.rows: dict[Key, Row] = {}
        kept = _read(self.path)
        for row in kept:
            if not (forget_failed and row["status"] == "error"):
                self.rows[key_of(row)] = row
        _rewrite(self.path, list(self.rows.values()))
        self._file: IO[str] | None = None

    def __contains__(self, key: Key) -> bool:
        return key in self.rows

    def __getitem__(self, key: Key) -> Row:
        return self.rows[key]

    def add(self, row: Row) -> None:
        """Write one row; it is on disk when this returns. Raises `ValueError`."""
        key = key_of(row)
        if key in self.rows:
            raise ValueError(f"{self.path}: {key} is done already")
        assert self._file is not None, "use the ledger as a context manager"
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.rows[key] = row

    def __enter__(self) -> Ledger:
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _read(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            key_of(row), row["status"]
        except (json.JSONDecodeError, KeyError, TypeError):
            if number >= len(lines) - 1:  # the kill cut the last line
                continue
            raise ValueError(f"{path}:{number}: not a ledger row") from None
        rows.append(row)
    return rows


def _rewrite(path: Path, rows: list[Row]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
