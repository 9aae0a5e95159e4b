"""What became of every turn: the ledger of everything left out, and counts that must add up.

    in = kept + quarantined + dropped        quarantined: something is wrong with the item
                                             dropped: fine itself, left out by a stated rule
    ledger.jsonl {id, path, stage, code, message, value, limit, action}

A notice (a foreign file, a transcript that is not UTF-8) is written down but leaves no turn out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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
    """Ledger code -> how many."""

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

    def sentence(self) -> str:
        """One line for the log."""
        why = ", ".join(f"{code} {count}" for code, count in sorted(self.reasons.items()))
        text = f"{self.found} turns in = {self.kept} kept + {self.quarantined} quarantined"
        return f"{text} + {self.dropped} dropped" + (f" ({why})" if why else "")


def count(found: int, kept: int, entries: Iterable[Entry]) -> Counts:
    """Check that every turn is accounted for, once."""
    out = [entry for entry in entries if entry.leaves_out]
    by_action = Counter(entry.action for entry in out)
    return Counts(
        found=found,
        kept=kept,
        quarantined=by_action["quarantined"],
        dropped=by_action["dropped"],
        reasons=dict(sorted(Counter(entry.code for entry in out).items())),
    )
