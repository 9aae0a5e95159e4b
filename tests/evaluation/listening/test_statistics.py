"""Intervals and agreement of listeners against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from GPT_SoVITS.evaluation.listening.statistics import (
    agreement_with_others,
    crossed_bootstrap,
    krippendorff_alpha,
    sign_test,
    wilson,
)


def test_crossed_bootstrap_agrees_with_crossed_random_effects():
    rng = np.random.default_rng(3)
    n, m = 30, 40
    rater, item = rng.normal(0, 0.5, n), rng.normal(0, 0.4, m)
    values = 3 + rater[:, None] + item[None] + rng.normal(0, 0.3, (n, m))
    answers = [(f"r{a}", f"i{b}", values[a, b]) for a in range(n) for b in range(m)]
    found = crossed_bootstrap(answers)
    # Two-way random effects: variances of the row and column means carry the whole error.
    error = math.sqrt(values.mean(1).var(ddof=1) / n + values.mean(0).var(ddof=1) / m)
    assert found.mean == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    rows_only = 1.96 * values.mean(0).std(ddof=1) / math.sqrt(m)
    assert (found.high - found.low) / 2 > 1.2 * rows_only  # raters are a sample too


def test_missing_answers_do_not_stop_the_bootstrap():
    answers = [("a", "x", 1.0), ("b", "y", 3.0), ("a", "y", 2.0)]
    found = crossed_bootstrap(answers)
    assert found.mean == 2.0 and 1.0 <= found.low <= found.high <= 3.0


@pytest.mark.parametrize(("k", "n"), [(0, 10), (7, 10), (10, 10), (55, 100)])
def test_wilson_equals_scipys(k: int, n: int):
    expected = stats.binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize("values", [[1, 1, -1, 0, 1], [1] * 9, [0, 0], [-2, 3, 1, -1]])
def test_sign_test_equals_scipys(values: list[float]):
    n = sum(v != 0 for v in values)
    expected = stats.binomtest(sum(v > 0 for v in values), n).pvalue if n else 1.0
    assert sign_test(values) == pytest.approx(expected)


def test_krippendorffs_published_example():
    """Krippendorff 2011, reliability data with missing values: interval alpha 0.849."""
    table = """1 2 3 3 2 1 4 1 2 * * *
               1 2 3 3 2 2 4 1 2 5 * 3
               * 3 3 3 2 3 4 2 2 5 1 *
               1 2 3 3 2 4 4 1 2 5 1 *"""
    rows = [line.split() for line in table.splitlines()]
    units = {str(k): [float(row[k]) for row in rows if row[k] != "*"] for k in range(12)}
    assert krippendorff_alpha(units) == pytest.approx(0.849, abs=0.001)
    assert krippendorff_alpha({"a": [1, 1], "b": [4, 4]}) == 1.0


def test_a_rater_who_clicks_at_random_stands_out():
    rng = np.random.default_rng(0)
    truth = rng.normal(3, 1, 60)
    answers = [
        (f"r{k}", str(i), t + rng.normal(0, 0.3)) for k in range(3) for i, t in enumerate(truth)
    ]
    answers += [("clicker", str(i), rng.normal(3, 1)) for i in range(60)]
    found = agreement_with_others(answers)
    assert min(found[f"r{k}"] for k in range(3)) > 0.7 > 0.3 > abs(found["clicker"])
