"""Paired comparison of two conditions on the same items: mean difference and its standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class PairedResult:
    """Two conditions measured on the same items; positive difference = `other` is higher."""

    n_pairs: int
    mean: float
    other_mean: float
    difference: float
    standard_error: float
    share_higher: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return asdict(self)

    def sentence(self, mean_name: str, other_name: str, unit: str) -> str:
        """The result in one line."""
        return (
            f"{self.n_pairs} pairs: {mean_name} {self.mean:.4f}, {other_name} "
            f"{self.other_mean:.4f} {unit}; difference {self.difference:+.4f} ± "
            f"{self.standard_error:.4f} (paired standard error), higher in "
            f"{100 * self.share_higher:.0f} % of the pairs"
        )


def compare(values: Sequence[float], others: Sequence[float]) -> PairedResult:
    """Compare two equally long lists of finite numbers measured on the same items.

    Raises ValueError for unequal lengths, no pairs or a number that is not finite.
    """
    if len(values) != len(others) or not values:
        raise ValueError(f"need as many values as others and at least one, got {len(values)}")
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a value to compare is not finite")
    gap = second - first
    error = float(gap.std(ddof=1) / math.sqrt(len(gap))) if len(gap) > 1 else math.nan
    return PairedResult(
        n_pairs=len(gap),
        mean=float(first.mean()),
        other_mean=float(second.mean()),
        difference=float(gap.mean()),
        standard_error=error,
        share_higher=float((gap > 0).mean()),
    )
