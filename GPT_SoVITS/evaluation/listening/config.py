"""What a listening test asks, of how many, about which sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCALES = {
    "naturalness": "How natural does the last turn sound? (N-DMOS)",
    "expressiveness": "How well does its expression fit the dialogue? (E-DMOS)",
    "similarity": "How much does it sound like the voice of the reference?",
}


@dataclass(frozen=True)
class ListeningConfig:
    """One test; the same seed makes the same pages."""

    run: str = "runs/evaluate/demo"
    """Folder of `python -m GPT_SoVITS evaluate`: its spoken items are what is listened to."""
    output: str = "runs/listening"
    """Folder of the pages, the key (keep it from the listeners) and the answers."""
    kind: Literal["mos", "cmos", "ab"] = "mos"
    """mos: one sound, 1 to 5 on every scale. cmos: two systems, -3 to 3. ab: two systems, which."""
    scales: tuple[Literal["naturalness", "expressiveness", "similarity"], ...] = (
        "naturalness",
        "expressiveness",
    )
    """Each is asked of every sound, as separate passes through the page."""
    systems: tuple[str, ...] = ()
    """Which; empty takes all of the run. cmos and ab compare each with the first."""
    max_items: int = 20
    """Items asked about, drawn by the seed."""
    raters: int = 20
    """Pages made; every rater has an own order."""
    history: bool = True
    """Whether the turns before are played (dialogue-level test)."""
    seed: int = 0
    """Of items, orders and sides."""
    title: str = "Listening test"
    """What stands above every page."""

    def __post_init__(self) -> None:
        if not self.scales or len(set(self.scales)) != len(self.scales):
            raise ValueError("scales must name one or more different scales")
        if self.max_items < 1 or self.raters < 1:
            raise ValueError("max_items and raters must be 1 or more")
        if self.kind != "mos" and len(self.systems) == 1:
            raise ValueError(f"{self.kind} compares two systems or more; name none for all")
