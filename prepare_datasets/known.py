"""What a step computed before: its finished files and the journal of a killed run, on disk.

    turns.jsonl     records of kept items of the last finished run, in the order of its items
    items.jsonl     every item: fingerprint, why it ended here, which records are its own
    journal.jsonl   finished items of a run that is under way, as they came
    .known.sqlite   item -> where its line lies; made anew by each run, thrown away by it

Only the index knows all items, and it is a file: memory does not grow with the corpus.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prepare_datasets.jsonl import Record, line_of

INDEX = ".known.sqlite"
JOURNAL = "journal.jsonl"
TABLE = """
create table items (
    id text primary key, fingerprint text, journal integer, state integer, records integer,
    used integer default 0
) without rowid
"""


class Known:
    """Lines {id, fingerprint, entries, records} by item id."""

    def __init__(self, folder: Path, file: str) -> None:
        self.folder = folder
        (folder / INDEX).unlink(missing_ok=True)
        self._index = sqlite3.connect(folder / INDEX, isolation_level=None)
        self._index.execute("pragma journal_mode = off")
        self._index.execute("pragma synchronous = off")
        self._index.execute(TABLE)
        self._index.execute("begin")
        self._paths = (folder / "items.jsonl", folder / file)
        for path in self._paths:
            path.touch()
        self._states, self._records = (path.open("rb") for path in self._paths)
        self._index_finished()
        self._index_journal()
        self._journal = (folder / JOURNAL).open("ab")
        self._lines = (folder / JOURNAL).open("rb")

    def get(self, item: str) -> Record | None:
        """The line of an item, if it is known."""
        query = "select fingerprint, journal, state, records from items where id = ?"
        row = self._index.execute(query, (item,)).fetchone()
        if row is None:
            return None
        mark, journal, state, records = row
        if journal:
            return _line_at(self._lines, state)
        line = _line_at(self._states, state) | {"fingerprint": mark}
        self._records.seek(records)
        own = [json.loads(self._records.readline()) for _ in line["records"]]
        return line | {"records": own}

    def add(self, line: Record) -> None:
        """Remember a computed item, safe against a kill from now on."""
        start = self._journal.tell()
        self._journal.write(line_of(line).encode("utf-8"))
        self._journal.flush()
        self._put(line["id"], line["fingerprint"], 1, start, 0)

    def use(self, item: str) -> None:
        """This item is part of the corpus as it is now."""
        self._index.execute("update items set used = 1 where id = ?", (item,))

    def unused(self) -> Iterator[Record]:
        """Lines of items that left the corpus."""
        rows = self._index.execute("select id from items where used = 0").fetchall()
        for (item,) in rows:
            line = self.get(item)
            if line is not None:
                yield line

    def forget_journal(self) -> None:
        """The step's files are written: they say all of it."""
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def close(self) -> None:
        """Throw the index away."""
        for file in (self._states, self._records, self._journal, self._lines):
            file.close()
        self._index.close()
        (self.folder / INDEX).unlink(missing_ok=True)

    def _put(self, item: str, mark: str, journal: int, state: int, records: int) -> None:
        values = (item, mark, journal, state, records)
        self._index.execute("insert or replace into items values (?, ?, ?, ?, ?, 0)", values)

    def _index_finished(self) -> None:
        """Both files name the records in one order; where they part (killed between the two
        renames) the rest counts as unknown.
        """
        at_state = at_record = 0
        for data in self._states:
            line = json.loads(data)
            first = at_record
            for name in line["records"]:
                record = self._records.readline()
                if not record or json.loads(record)["id"] != name:
                    return
                at_record += len(record)
            self._put(line["id"], line["fingerprint"], 0, at_state, first)
            at_state += len(data)

    def _index_journal(self) -> None:
        """A kill can only have torn the last line; it is cut off."""
        path = self.folder / JOURNAL
        path.touch()
        end = 0
        with path.open("rb") as file:
            for data in file:
                if not data.endswith(b"\n"):
                    break
                line = json.loads(data)
                self._put(line["id"], line["fingerprint"], 1, end, 0)
                end += len(data)
        with path.open("r+b") as file:
            file.truncate(end)


def _line_at(file: Any, offset: int) -> Record:
    file.seek(offset)
    result: Record = json.loads(file.readline())
    return result
