"""Attention of the response over the history, with the segments of the dialogue marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.plots.canvas import literal, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Span:
    """One segment of the sequence: columns start (included) to stop (excluded)."""

    label: str
    start: int
    stop: int


def attention_map(weights: np.ndarray, spans: Sequence[Span]) -> Figure:
    """Draw weights (Q, K): the map itself, and below it each segment's share of the attention.

    Raises `ValueError`.
    """
    if weights.ndim != 2:
        raise ValueError(f"attention weights must be (Q, K), got shape {weights.shape}")
    if any(span.stop > weights.shape[1] or span.start >= span.stop for span in spans):
        raise ValueError(f"a span lies outside the {weights.shape[1]} columns")
    figure, (top, bottom) = panels(2, row_height=3.2)
    # Square root: single strong columns would otherwise hide the rest.
    image = top.imshow(np.sqrt(weights), aspect="auto", cmap="viridis", interpolation="nearest")
    figure.colorbar(image, ax=top, label="square root of weight")
    for span in spans:
        top.axvline(span.stop - 0.5, color="white", linewidth=0.8)
    labels = [literal(span.label) for span in spans]
    centres = [(span.start + span.stop - 1) / 2 for span in spans]
    top.set_xticks(centres, labels, rotation=30, ha="right")
    top.set(ylabel="response column")
    shares = [float(weights[:, span.start : span.stop].sum(axis=1).mean()) for span in spans]
    bottom.bar(range(len(spans)), shares)
    bottom.set_xticks(range(len(spans)), labels, rotation=30, ha="right")
    bottom.set(ylabel="share of attention")
    return figure
