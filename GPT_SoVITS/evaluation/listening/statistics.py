"""How sure listeners' answers are: raters and items are both a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from GPT_SoVITS.evaluation.metrics.intervals import Interval

Answer = tuple[str, str, float]
"""rater, item, value"""


def crossed_bootstrap(answers: Sequence[Answer], *, draws: int = 2000, seed: int = 0) -> Interval:
    """Mean and 95 % interval where raters and items are drawn, each with replacement.

    An answer counts as often as its rater times its item was drawn (Owen 2007, the pigeonhole
    bootstrap): never narrower than the crossed random effects of Ribeiro et al. 2011 ask for, and
    missing answers do no harm. `n_items` is the number of answers, `n_groups` that of raters.

    Raises `ValueError`.
    """
    if not answers:
        raise ValueError("no answers")
    raters = {name: k for k, name in enumerate(dict.fromkeys(a[0] for a in answers))}
    items = {name: k for k, name in enumerate(dict.fromkeys(a[1] for a in answers))}
    r = np.asarray([raters[a[0]] for a in answers])
    i = np.asarray([items[a[1]] for a in answers])
    values = np.asarray([a[2] for a in answers], dtype=np.float64)
    rng = np.random.default_rng(seed)
    heard = rng.multinomial(len(raters), np.full(len(raters), 1 / len(raters)), size=draws)
    asked = rng.multinomial(len(items), np.full(len(items), 1 / len(items)), size=draws)
    weights = heard[:, r] * asked[:, i]  # (draws, answers)
    fine = weights.sum(1) > 0  # a draw may miss every answer where many are missing
    means = (weights[fine] @ values) / weights[fine].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(values.mean()), float(low), float(high), len(values), len(raters))


def wilson(successes: int, trials: int, *, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927). Raises `ValueError`."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"{successes} of {trials} is no share")
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half /= 1 + z**2 / trials
    return max(0.0, middle - half), min(1.0, middle + half)


def sign_test(values: Sequence[float]) -> float:
    """Two-sided p of as many signs one way if both were equally likely; zeros are left out."""
    n, up = sum(v != 0 for v in values), sum(v > 0 for v in values)
    tail = sum(math.comb(n, k) for k in range(min(up, n - up) + 1)) / 2**n
    return float(min(1.0, 2 * tail))


def krippendorff_alpha(units: Mapping[str, Sequence[float]]) -> float:
    """Agreement of raters on an interval scale: 1 perfect, 0 as by chance, NaN without spread.

    unit (what was heard) -> its ratings, as many as there are (Krippendorff 2011, interval metric).
    Units with one rating cannot agree and are left out. Raises `ValueError`.
    """
    rated = [np.asarray(v, np.float64) for v in units.values() if len(v) > 1]
    if not rated:
        raise ValueError("no unit has two ratings")
    everything = np.concatenate(rated)
    n = len(everything)
    observed = sum(2 * len(v) * ((v - v.mean()) ** 2).sum() / (len(v) - 1) for v in rated) / n
    expected = 2 * n * ((everything - everything.mean()) ** 2).sum() / (n * (n - 1))
    return float(1 - observed / expected) if expected > 0 else float("nan")


def agreement_with_others(answers: Sequence[Answer]) -> dict[str, float]:
    """Rater -> Pearson correlation of the answers with the mean of the other raters'; NaN where
    there is nothing to correlate. A rater near zero clicked at random."""
    by: dict[str, dict[str, float]] = {}
    for rater, item, value in answers:
        by.setdefault(rater, {})[item] = value
    found = {}
    for rater, own in by.items():
        pairs = [
            (value, float(np.mean(others)))
            for item, value in own.items()
            if (others := [o[item] for name, o in by.items() if name != rater and item in o])
        ]
        x, y = (np.asarray(side) for side in zip(*pairs)) if pairs else (np.zeros(0), np.zeros(0))
        bent = len(x) > 1 and x.std() > 0 and y.std() > 0
        found[rater] = float(np.corrcoef(x, y)[0, 1]) if bent else float("nan")
    return found
