"""Files that appear complete or not at all, and fingerprints of what they hold."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from prepare_datasets.errors import PrepareError

Record = dict[str, Any]


def fingerprint(*parts: Any) -> str:
    """16 hex digits of anything JSON can hold."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def line_of(value: Mapping[str, Any]) -> str:
    """One line of a JSONL file."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """A JSON file a person can read."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """A text file, completely or not at all."""
    with AtomicFile(path) as file:
        file.write(text)


class AtomicFile:
    """Lines go to a hidden neighbour that takes the file's place at the end of the `with`.

    After an error the old file stays. `digest` is that of everything written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._partial = path.with_name(f".{path.name}.partial")
        self._digest = hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._partial.open("wb")

    def write(self, text: str) -> None:
        """Append; one call is one line for those who count."""
        data = text.encode("utf-8")
        self._file.write(data)
        self._digest.update(data)
        self.count += 1

    def add(self, record: Mapping[str, Any]) -> None:
        """Append one JSON line."""
        self.write(line_of(record))

    @property
    def digest(self) -> str:
        """16 hex digits of the bytes so far."""
        return self._digest.hexdigest()[:16]

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is None:
            os.replace(self._partial, self.path)
        else:
            self._partial.unlink(missing_ok=True)


def read_finished(path: Path, journal: Path) -> Iterator[Record]:
    """Lines of a finished file, then those of a killed run's journal, whose last may be torn."""
    yield from read_jsonl(path)
    if journal.is_file():
        for line in journal.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("}\n"):
                yield json.loads(line)


def read_jsonl(path: Path) -> Iterator[Record]:
    """Lines of a finished JSONL file; none where there is no file. Raises `PrepareError`."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise PrepareError(
                    f"{path}:{number}: not JSON ({error}); delete the folder of this step"
                ) from None
