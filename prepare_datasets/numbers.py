"""Figures of a prepared corpus, counted while its turns pass by: memory does not grow with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prepare_datasets.jsonl import Record

# Width of a bar of each distribution.
BINS = {"seconds": 0.5, "phonemes_per_second": 1.0, "turns": 1.0, "history_seconds": 1.0}


@dataclass
class Histogram:
    """Counts per bin of one width."""

    width: float
    counts: Counter[int] = field(default_factory=Counter)

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[int(value / self.width)] += 1

    def bars(self) -> tuple[list[float], list[int]]:
        """Left edges and heights, without holes."""
        if not self.counts:
            return [], []
        bins = range(min(self.counts), max(self.counts) + 1)
        return [number * self.width for number in bins], [self.counts[number] for number in bins]


@dataclass
class CorpusNumbers:
    """Totals and distributions of everything that was kept."""

    turns: int = 0
    seconds: float = 0.0
    codes: int = 0
    dialogues: Counter[str] = field(default_factory=Counter)
    speakers: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    styles: Counter[str] = field(default_factory=Counter)
    tokens: Counter[int] = field(default_factory=Counter)
    history_turns: Counter[int] = field(default_factory=Counter)
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(width) for name, width in BINS.items()}
    )
    examples: list[Record] = field(default_factory=list)
    """The first dialogue, to listen to."""

    def add(self, turns: list[Record], split: str, history: int) -> None:
        """A dialogue that was kept."""
        self.dialogues[split] += 1
        self.histograms["turns"].add(len(turns))
        if not self.examples:
            self.examples = turns[:8]
        for place, turn in enumerate(turns):
            before = turns[max(0, place - history) : place]
            self._turn(turn)
            self.history_turns[len(before)] += 1
            self.histograms["history_seconds"].add(sum(one["seconds"] for one in before))

    def _turn(self, turn: Record) -> None:
        self.turns += 1
        self.seconds += turn["seconds"]
        self.codes += len(turn["codes"])
        self.speakers[turn["speaker"]] += 1
        self.languages[turn["language"]] += 1
        self.styles[(turn.get("style") or {}).get("name", "unlabelled")] += 1
        self.tokens.update(turn["codes"])
        self.histograms["seconds"].add(turn["seconds"])
        self.histograms["phonemes_per_second"].add(len(turn["ids"]) / turn["seconds"])

    def as_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return {
            "dialogues": {"train": self.dialogues["train"], "valid": self.dialogues["valid"]},
            "hours": round(self.seconds / 3600, 4),
            "speakers": dict(sorted(self.speakers.items())),
            "languages": dict(sorted(self.languages.items())),
            "styles": dict(sorted(self.styles.items())),
            "codes": self.codes,
        }
