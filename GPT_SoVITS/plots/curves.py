"""Training curves: one panel per number, training and validation together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from GPT_SoVITS.plots.canvas import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[np.ndarray, np.ndarray]  # steps (N,), values (N,)


def loss_curves(curves: Mapping[str, Curve]) -> Figure:
    """Draw `train/loss` and `valid/loss` in one panel named `loss`, and so on for each name."""
    groups: dict[str, dict[str, Curve]] = {}
    for name, curve in curves.items():
        split, _, quantity = name.rpartition("/")
        groups.setdefault(quantity, {})[split or "train"] = curve
    figure, axes = panels(len(groups))
    for axis, (quantity, splits) in zip(axes, groups.items()):
        for split, (steps, values) in splits.items():
            axis.plot(steps, values, marker="." if len(steps) < 40 else "", label=split)
        axis.set(ylabel=quantity)
        axis.legend(loc="upper right")
    axes[-1].set_xlabel("step")
    return figure
