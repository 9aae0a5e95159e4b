"""How far a job is: from its training's metrics.jsonl, or from the progress line in its log."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from GPT_SoVITS.studio.jobs import Job

BAR = re.compile(r"^(?P<what>[^\n:%|]{1,40}?):?\s+\d+%\|[^|]*\|\s*(?P<done>\d+)/(?P<all>\d+)")


@dataclass(frozen=True)
class Progress:
    """`done` of `total` of something; total 0: nobody knows yet."""

    what: str = ""
    done: int = 0
    total: int = 0

    @property
    def share(self) -> float:
        """0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def progress_of(job: Job) -> Progress:
    """What a person wants to see first."""
    metrics, steps = job.facts.get("metrics"), int(job.facts.get("steps", 0))
    if metrics and steps:
        lines = read_metrics(Path(metrics))
        if lines:
            return Progress(str(job.facts.get("stage", "")), int(lines[-1]["step"]), steps)
    for line in reversed(job.log().splitlines()):
        if found := BAR.search(line):
            return Progress(found["what"].strip(), int(found["done"]), int(found["all"]))
    return Progress(total=steps)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Whole lines of metrics.jsonl; a line being written is left for the next look."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line]


def curves(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """`train/loss` and so on -> (steps, values), for `plots.loss_curves`."""
    lines = read_metrics(path)
    names = sorted({name for line in lines for name in line if "/" in name})
    found = {}
    for name in names:
        points = [(line["step"], line[name]) for line in lines if name in line]
        found[name] = (np.array([s for s, _ in points]), np.array([v for _, v in points]))
    return found
