"""Means with their intervals: one row per thing measured, one colour per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from GPT_SoVITS.plots.canvas import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Span = tuple[float, float, float]  # mean, low, high


def interval_rows(
    groups: Mapping[str, Mapping[str, Span]],
    *,
    label: str,
    lines: Mapping[str, float] | None = None,
) -> Figure:
    """group -> row -> (mean, low, high), rows from top to bottom; `lines` are named verticals.

    Raises `ValueError`.
    """
    rows: Sequence[str] = list(dict.fromkeys(row for group in groups.values() for row in group))
    if not rows:
        raise ValueError("nothing to draw: no row has a mean")
    figure, (axis,) = panels(1, row_height=1.4 + 0.3 * len(rows) * max(1, len(groups)) ** 0.5)
    step = 0.8 / max(1, len(groups))
    for number, (name, values) in enumerate(groups.items()):
        at = [rows.index(row) + (number - (len(groups) - 1) / 2) * step for row in values]
        mean = [span[0] for span in values.values()]
        below = [max(0.0, span[0] - span[1]) for span in values.values()]
        above = [max(0.0, span[2] - span[0]) for span in values.values()]
        axis.errorbar(mean, at, xerr=[below, above], fmt="o", capsize=3, label=name)
    for name, place in (lines or {}).items():
        axis.axvline(place, linestyle="--", color="0.5", linewidth=1)
        axis.text(place, -0.6, name, ha="center", va="bottom", fontsize=8, color="0.4")
    axis.set_yticks(range(len(rows)), rows)
    axis.invert_yaxis()
    axis.set_xlabel(label)
    axis.grid(axis="x", alpha=0.3)
    if len(groups) > 1:
        axis.legend(loc="best", fontsize=8)
    return figure


def trajectories(
    lines: Mapping[str, Sequence[float]], *, label: str, ticks: Sequence[str], marked: int = -1
) -> Figure:
    """name -> a value per turn (NaN where there is none); turn `marked` is shaded."""
    figure, (axis,) = panels(1, row_height=2.6)
    for name, values in lines.items():
        axis.plot(range(len(values)), list(values), marker="o", label=name)
    if marked >= 0:
        axis.axvspan(marked - 0.4, marked + 0.4, alpha=0.12)
    axis.set_xticks(range(len(ticks)), list(ticks), fontsize=8)
    axis.set_ylabel(label)
    axis.grid(alpha=0.3)
    if len(lines) > 1:
        axis.legend(loc="best", fontsize=8)
    return figure
