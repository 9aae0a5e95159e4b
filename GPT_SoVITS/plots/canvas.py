"""An empty figure of stacked panels, made without pyplot: nothing global, safe in threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def literal(text: str) -> str:
    """A name or a spoken text as a label: `$5 to $6` is no formula."""
    return text.replace("$", r"\$")


def panels(
    n_rows: int, *, width: float = 9.0, row_height: float = 1.9
) -> tuple[Figure, list[Axes]]:
    """A figure with `n_rows` panels above each other (sizes in inches). Raises `ValueError`."""
    from matplotlib.figure import Figure

    if n_rows < 1:
        raise ValueError("nothing to draw: the figure needs at least one panel")
    figure = Figure(figsize=(width, row_height * n_rows + 0.5), layout="constrained")
    grid = figure.subplots(n_rows, 1, squeeze=False)
    return figure, [row[0] for row in grid]
