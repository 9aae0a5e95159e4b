"""What became of every turn: the ledger of everything left out, and counts that must add up.

    in = kept + quarantined + dropped        quarantined: something is wrong with the item
                                             dropped: fine itself, left out by a stated rule
    ledger.jsonl {id, path, stage, code, message, value, limit, action}

A notice (a foreign file, a transcript that is not UTF-8) is written down but leaves no turn out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Action = Literal["quarantined", "dropped", "notice"]


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    id: str
    """corpus/dialogue/turn; of a file that is no turn, its path."""
    path: str
    """Relative to the raw folder."""
    stage: str
    """The step that decided, e.g. step3_speech."""
    code: str
    """Stable short name of the reason, e.g. missing_transcript."""
    message: str
    """The reason in words, with the fix where there is one."""
    value: float | str | None = None
    """What was found …"""
    limit: float | str | None = None
    """… and what would have been accepted."""
    action: Action = "quarantined"

    @property
    def leaves_out(self) -> bool:
        """Whether the item ends here."""
        return self.action != "notice"

    def as_json(self) -> dict[str, Any]:
        """A line for `ledger.jsonl`."""
        return asdict(self)


class CountError(AssertionError):
    """Items were lost without a word: a bug of ours."""


@dataclass(frozen=True)
class Counts:
    """The sum that is checked at the end of every run."""

    found: int
    kept: int
    quarantined: int
    dropped: int
    reasons: Mapping[str, int]
    """Ledger code -> how many were left out for it."""
    notices: Mapping[str, int]
    """Ledger code -> how often it was noticed on what was kept."""

    def __post_init__(self) -> None:
        if self.found != self.kept + self.quarantined + self.dropped:
            raise CountError(
                f"{self.found} turns came in, but {self.kept} kept + {self.quarantined} "
                f"quarantined + {self.dropped} dropped = "
                f"{self.kept + self.quarantined + self.dropped}"
            )

    def as_json(self) -> dict[str, Any]:
        """For `report.json`; `in` is a word of the invariant."""
        values = asdict(self)
        return {"in": values.pop("found"), **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Counts:
        """Back from `report.json`."""
        keys = ("kept", "quarantined", "dropped", "reasons", "notices")
        return cls(found=values["in"], **{key: values[key] for key in keys})

    def sentence(self) -> str:
        """One line for the log."""
        why = ", ".join(f"{code} {count}" for code, count in sorted(self.reasons.items()))
        text = f"{self.found} turns in = {self.kept} kept + {self.quarantined} quarantined"
        return f"{text} + {self.dropped} dropped" + (f" ({why})" if why else "")


class Tally:
    """Counts entries as they pass, so that none has to be kept."""

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()

    def add(self, entry: Entry) -> None:
        """One more entry."""
        self.actions[entry.action] += 1
        (self.reasons if entry.leaves_out else self.notices)[entry.code] += 1

    def counts(self, found: int, kept: int) -> Counts:
        """Check that every turn is accounted for, once."""
        return Counts(
            found=found,
            kept=kept,
            quarantined=self.actions["quarantined"],
            dropped=self.actions["dropped"],
            reasons=dict(sorted(self.reasons.items())),
            notices=dict(sorted(self.notices.items())),
        )
