"""How sure a mean is: bootstrap over dialogues, paired differences, sign-flip test.

Items of one dialogue resemble each other, so whole dialogues are drawn, never items (cluster
bootstrap, Cameron & Miller 2015). Everything is seeded: the same values give the same interval.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float
    n_items: int
    n_groups: int

    def as_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class PairedDifference:
    """Second minus first on the same items."""

    difference: Interval
    p_value: float
    """two-sided, of the sign-flip test over groups"""

    def as_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return self.difference.as_dict() | {"p_value": self.p_value}


def bootstrap_mean(
    values: Sequence[float],
    groups: Sequence[Hashable],
    *,
    weights: Sequence[float] | None = None,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the (weighted) mean, groups drawn with replacement.

    With `weights` (words per utterance) it is a ratio of sums: corpus WER from utterance WERs.
    """
    totals, sizes = _group_sums(values, groups, weights)
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(totals), size=(draws, len(totals)))
    means = totals[picks].sum(1) / sizes[picks].sum(1)
    low, high = np.percentile(means, (50 - 50 * level, 50 + 50 * level))
    mean = totals.sum() / sizes.sum()
    return Interval(float(mean), float(low), float(high), len(values), len(totals))


def paired_difference(
    first: Sequence[float], second: Sequence[float], groups: Sequence[Hashable], *, seed: int = 0
) -> PairedDifference:
    """Second minus first, with an interval and the test that signs of dialogues are random.

    All sign patterns are tried up to 14 groups, 10 000 drawn ones above. Raises `ValueError`.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values cannot be paired")
    gaps = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    totals, _ = _group_sums(gaps.tolist(), groups, None)
    observed = abs(totals.sum())
    if len(totals) <= 14:
        patterns = np.arange(2 ** len(totals))[:, None] >> np.arange(len(totals)) & 1
        flipped = np.abs((2 * patterns - 1) @ totals)
        p = float((flipped >= observed - 1e-12).mean())
    else:
        signs = np.random.default_rng(seed).integers(0, 2, size=(10000, len(totals))) * 2 - 1
        p = float((1 + (np.abs(signs @ totals) >= observed - 1e-12).sum()) / 10001)
    return PairedDifference(bootstrap_mean(gaps.tolist(), groups, seed=seed), p)


def _group_sums(
    values: Sequence[float], groups: Sequence[Hashable], weights: Sequence[float] | None
) -> tuple[np.ndarray, np.ndarray]:
    if not len(values) or len(values) != len(groups):
        raise ValueError(f"{len(values)} values in {len(groups)} groups: need as many, at least 1")
    numbers = np.asarray(values, dtype=np.float64)
    w = np.ones(len(numbers)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not np.isfinite(numbers).all() or not np.isfinite(w).all() or (w < 0).any():
        raise ValueError("a value or weight is not finite (or a weight is negative)")
    index = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    places = np.asarray([index[group] for group in groups])
    totals, sizes = np.zeros(len(index)), np.zeros(len(index))
    np.add.at(totals, places, numbers * w)
    np.add.at(sizes, places, w)
    return totals, sizes
