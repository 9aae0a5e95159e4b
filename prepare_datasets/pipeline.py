"""How a step runs: only what changed, safe against being killed, with progress and a ledger.

    <step>/turns.jsonl    one line per kept item, in the order of the step before
    <step>/items.jsonl    every item that came in: its fingerprint, and why it ended here if it did
    <step>/journal.jsonl  while running: finished items, appended; a killed run resumes from it
    <step>/step.json      last: fingerprint of everything that went in; there = the step is complete

An item's fingerprint is a hash of (code version, config, what came in); an item whose fingerprint
is known is not computed again. Items and records are streams: no step holds a corpus.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from prepare_datasets.errors import PrepareError
from prepare_datasets.executors import Executor, run_items
from prepare_datasets.jsonl import AtomicFile, Record, read_jsonl, write_json
from prepare_datasets.known import Known
from prepare_datasets.ledger import Entry
from prepare_datasets.work import Compute, Item

log = logging.getLogger("prepare_datasets")
ITEMS = "items.jsonl"
DONE = "step.json"


@dataclass(frozen=True)
class StepResult:
    """How much a run of a step had to do."""

    items: int
    computed: int


class Step:
    """The folder of one step, and the rule that nothing is computed twice."""

    def __init__(self, folder: Path, name: str, *, number: int, file: str = "turns.jsonl") -> None:
        self.folder, self.name, self.number, self.file = folder, name, number, file

    def run(
        self,
        items: Callable[[], Iterable[Item]],
        compute: Compute,
        *,
        executor: Executor,
        unit: str = "turn",
        exists: Callable[[Record], bool] = lambda record: True,
        forget: Callable[[Record], None] = lambda record: None,
    ) -> StepResult:
        """Compute what is not known yet and write the step's files.

        `items` makes the stream of items anew each time it is called. `exists` tells whether what
        a known record points to (audio, a shard) is still there; `forget` removes it when its item
        left the corpus.
        """
        count, whole = _summary(items())
        if self._done() == whole and all(exists(record) for record in self.records()):
            log.info("%s: nothing to do (%d %ss are there)", self.name, count, unit)
            return StepResult(count, 0)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / DONE).unlink(missing_ok=True)
        known = Known(self.folder, self.file)
        try:
            quiet = not log.isEnabledFor(logging.INFO)
            with tqdm(total=count, desc=self.name, unit=unit, disable=quiet) as bar:
                todo = _unknown(items(), known, exists, bar)
                computed = 0
                scratch = self.folder / ".todo"
                for item, outcome in run_items(compute, todo, executor, scratch=scratch):
                    start = {"id": item.id, "fingerprint": item.fingerprint}
                    known.add(start | outcome.as_json())
                    computed += 1
                    bar.update()
            self._finish(items(), known)
            for line in known.unused():
                for record in line["records"]:
                    forget(record)
            known.forget_journal()
        finally:
            known.close()
        # Last: what a kill leaves before this line is cleared by the next run.
        write_json(self.folder / DONE, {"fingerprint": whole, "items": count})
        log.info("%s: %d of %d %ss computed", self.name, computed, count, unit)
        return StepResult(count, computed)

    def _finish(self, items: Iterable[Item], known: Known) -> None:
        with (
            AtomicFile(self.folder / ITEMS) as states,
            AtomicFile(self.folder / self.file) as records,
        ):
            for item in items:
                line = known.get(item.id)
                assert line is not None, f"{item.id} was not computed"
                known.use(item.id)
                for record in line["records"]:
                    records.add(record)
                states.add(line | {"records": [record["id"] for record in line["records"]]})

    def mark(self) -> str:
        """Fingerprint of everything this finished step was made from. Raises `PrepareError`."""
        done = self._done()
        if done is None:
            raise PrepareError(f"{self.folder} is not complete; run --steps {self.number} first")
        return done

    def records(self) -> Iterator[Record]:
        """Records of the finished step, for the steps after it."""
        self.mark()
        return read_jsonl(self.folder / self.file)

    def entries(self) -> Iterator[Entry]:
        """What the finished step left out or noticed."""
        for state in read_jsonl(self.folder / ITEMS):
            yield from (Entry(**entry) for entry in state["entries"])

    def _done(self) -> str | None:
        path = self.folder / DONE
        if not path.is_file():
            return None
        return str(json.loads(path.read_text(encoding="utf-8"))["fingerprint"])


def _summary(items: Iterable[Item]) -> tuple[int, str]:
    """How many items, and one fingerprint of all of them."""
    digest, count = hashlib.sha256(), 0
    for item in items:
        digest.update(f"{item.id}\n{item.fingerprint}\n".encode())
        count += 1
    return count, digest.hexdigest()[:16]


def _unknown(
    items: Iterable[Item], known: Known, exists: Callable[[Record], bool], bar: tqdm
) -> Iterator[Item]:
    """Items that must be computed; the bar moves over the others."""
    for item in items:
        line = known.get(item.id)
        same = line is not None and line["fingerprint"] == item.fingerprint
        if line is not None and same and all(exists(record) for record in line["records"]):
            bar.update()
        else:
            yield item


def aligned(turns: Iterable[Record], *others: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """Joins by id: turns that all of `others` have too, each a part of `turns` in its order.

        turns   0 1 2 3 4        others  0 2 3 | 0 3 4   ->   (0 0 0) (3 3 3)

    One record of each stream is in memory.
    """
    streams = [iter(other) for other in others]
    heads = [next(stream, None) for stream in streams]
    for turn in turns:
        row = [turn]
        for place, head in enumerate(heads):
            if head is not None and head["id"] == turn["id"]:
                row.append(head)
                heads[place] = next(streams[place], None)
        if len(row) == len(streams) + 1:
            yield tuple(row)
