"""How a step runs: only what changed, safe against being killed, with progress and a ledger.

    <step>/turns.jsonl    one line per kept item, in the order of the step before
    <step>/items.jsonl    every item that came in: its fingerprint, and why it ended here if it did
    <step>/journal.jsonl  while running: finished items, appended; a killed run resumes from it
    <step>/step.json      last: fingerprint of everything that went in; there = the step is complete

An item's fingerprint is a hash of (code version, config, what came in); an item whose fingerprint
is known is not computed again. Files appear complete or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prepare_datasets.executors import run_local
from prepare_datasets.ledger import Entry

log = logging.getLogger("prepare_datasets")
Record = dict[str, Any]


class PrepareError(Exception):
    """The run cannot go on; the message says what to do. Exit code 2."""


@dataclass(frozen=True)
class Item:
    """One piece of work: what a step computes from, and the fingerprint of that."""

    id: str
    payload: Any
    fingerprint: str


@dataclass(frozen=True)
class Outcome:
    """What became of one item: records, each with its own "id", or the reason for none."""

    records: tuple[Record, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass
class StepResult:
    """A finished step, as the next one reads it."""

    records: list[Record]
    entries: list[Entry] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    """Item id -> fingerprint, also of items that ended here."""
    computed: int = 0
    """Items computed now; the others were known."""


def fingerprint(*parts: Any) -> str:
    """16 hex digits of anything JSON can hold."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """16 hex digits of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def write_atomic(path: Path, text: str) -> None:
    """Write a text file completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path: Path, value: Any) -> None:
    """A JSON file a person can read."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object per line."""
    write_atomic(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records))


def read_jsonl(path: Path, *, torn: bool = False) -> Iterator[Record]:
    """Lines of a JSONL file; with `torn` lines that a killed run left half are passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                if torn:
                    continue
                raise PrepareError(
                    f"{path}:{number}: not JSON ({error}); delete the step"
                ) from None


class Step:
    """The folder of one step, and the rule that nothing is computed twice."""

    def __init__(self, folder: Path, name: str, *, file: str = "turns.jsonl") -> None:
        self.folder, self.name, self.file = folder, name, file

    def run(
        self,
        items: list[Item],
        compute: Callable[[Any], Outcome],
        *,
        workers: int = 1,
        unit: str = "turn",
        exists: Callable[[Record], bool] = lambda record: True,
    ) -> StepResult:
        """Compute what is not known yet and write the step's files.

        `exists` tells whether what a known record points to (audio, a shard) is still there.
        """
        known = self._known()
        todo = [item for item in items if not _is_known(item, known, exists)]
        whole = fingerprint([(item.id, item.fingerprint) for item in items])
        if not todo and self._done() == whole:
            log.info("%s: nothing to do (%d %ss are there)", self.name, len(items), unit)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "step.json").unlink(missing_ok=True)
            self._compute(todo, compute, known, workers=workers, unit=unit)
            self._finish([known[item.id] for item in items], whole)
        lines = [known[item.id] for item in items]
        return StepResult(
            records=[record for line in lines for record in line["records"]],
            entries=[Entry(**entry) for line in lines for entry in line["entries"]],
            fingerprints={line["id"]: line["fingerprint"] for line in lines},
            computed=len(todo),
        )

    def load(self, number: int) -> list[Record]:
        """Records of the finished step, for the steps after it."""
        if self._done() is None:
            raise PrepareError(f"{self.folder} is not complete; run --steps {number} first")
        return list(read_jsonl(self.folder / self.file))

    def entries(self) -> list[Entry]:
        """What the finished step left out or noticed."""
        states = read_jsonl(self.folder / "items.jsonl")
        return [Entry(**entry) for state in states for entry in state["entries"]]

    def _compute(
        self,
        todo: list[Item],
        compute: Callable[[Any], Outcome],
        known: dict[str, Record],
        *,
        workers: int,
        unit: str,
    ) -> None:
        results = run_local(compute, [item.payload for item in todo], workers=workers)
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
            if journal.tell():
                journal.write("\n")  # ends a line that a killed run left half
            bar = tqdm(zip(todo, results), total=len(todo), desc=self.name, unit=unit)
            for item, outcome in bar:
                line = {
                    "id": item.id,
                    "fingerprint": item.fingerprint,
                    "entries": [entry.as_json() for entry in outcome.entries],
                    "records": list(outcome.records),
                }
                journal.write(json.dumps(line, ensure_ascii=False) + "\n")
                journal.flush()
                known[item.id] = line

    def _finish(self, lines: list[Record], whole: str) -> None:
        write_jsonl(self.folder / self.file, (r for line in lines for r in line["records"]))
        states = (line | {"records": [r["id"] for r in line["records"]]} for line in lines)
        write_jsonl(self.folder / "items.jsonl", states)
        write_json(self.folder / "step.json", {"fingerprint": whole, "items": len(lines)})
        (self.folder / "journal.jsonl").unlink(missing_ok=True)

    def _known(self) -> dict[str, Record]:
        """Item id -> line: from the last finished run, overlaid by the journal of a killed one."""
        records = {record["id"]: record for record in read_jsonl(self.folder / self.file)}
        known: dict[str, Record] = {}
        for state in read_jsonl(self.folder / "items.jsonl"):
            if all(id_ in records for id_ in state["records"]):
                known[state["id"]] = state | {"records": [records[id_] for id_ in state["records"]]}
        for line in read_jsonl(self.folder / "journal.jsonl", torn=True):
            known[line["id"]] = line
        return known

    def _done(self) -> str | None:
        path = self.folder / "step.json"
        return (
            json.loads(path.read_text(encoding="utf-8"))["fingerprint"] if path.is_file() else None
        )


def _is_known(item: Item, known: Mapping[str, Record], exists: Callable[[Record], bool]) -> bool:
    line = known.get(item.id)
    if line is None or line["fingerprint"] != item.fingerprint:
        return False
    return all(exists(record) for record in line["records"])
