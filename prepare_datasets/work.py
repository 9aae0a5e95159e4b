"""What a step hands to an executor and gets back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prepare_datasets.jsonl import Record
from prepare_datasets.ledger import Entry


@dataclass(frozen=True)
class Item:
    """One piece of work: what a step computes from, and the fingerprint of that."""

    id: str
    payload: Any
    """What JSON can hold, so that it travels anywhere."""
    fingerprint: str


@dataclass(frozen=True)
class Outcome:
    """What became of one item: records, each with its own "id", or the reason for none."""

    records: tuple[Record, ...] = ()
    entries: tuple[Entry, ...] = ()

    def as_json(self) -> Record:
        """For the journal, and to travel between machines."""
        return {
            "entries": [entry.as_json() for entry in self.entries],
            "records": list(self.records),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        """Back from `as_json`."""
        return cls(tuple(values["records"]), tuple(Entry(**entry) for entry in values["entries"]))


Compute = Callable[[Any], Outcome]
"""A module-level function, or a `partial` of one: payload -> outcome."""
