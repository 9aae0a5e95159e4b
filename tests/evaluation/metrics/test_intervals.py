"""Intervals and paired tests: coverage, known cases, agreement with scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean, paired_difference
from GPT_SoVITS.evaluation.metrics.speed import Timing, first_chunk_latency, real_time_factors


def test_the_interval_agrees_with_scipy_where_every_item_is_its_own_group():
    values = np.random.default_rng(0).normal(3, 1, 80)
    own = bootstrap_mean(values.tolist(), range(80), draws=4000)
    other = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert own.mean == pytest.approx(values.mean())
    assert own.low == pytest.approx(other.low, abs=0.03)
    assert own.high == pytest.approx(other.high, abs=0.03)


def test_items_of_one_dialogue_are_drawn_together():
    values = [0.0] * 50 + [1.0] * 50
    alone = bootstrap_mean(values, range(100))
    together = bootstrap_mean(values, [0] * 50 + [1] * 50)
    assert together.high - together.low > 4 * (alone.high - alone.low)
    assert (together.n_items, together.n_groups) == (100, 2)


def test_weights_make_it_a_ratio_of_sums():
    interval = bootstrap_mean([0.5, 0.0], ["a", "b"], weights=[2, 8])
    assert interval.mean == pytest.approx(0.1)


def test_the_sign_test_equals_scipy_permutation():
    first = [1.0, 2.0, 1.5, 0.5, 1.2, 0.9, 1.1]
    second = [1.4, 2.1, 1.9, 0.4, 1.9, 1.3, 1.4]
    own = paired_difference(first, second, range(7))
    other = scipy.stats.permutation_test(
        (second, first), lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    assert own.p_value == pytest.approx(other.pvalue, abs=1e-9)
    assert own.difference.mean == pytest.approx(np.mean(np.subtract(second, first)))


def test_no_difference_is_not_significant_and_numbers_must_be_finite():
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(2, 60))
    assert paired_difference(noise[0].tolist(), noise[1].tolist(), range(60)).p_value > 0.05
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_mean([1.0, float("nan")], [0, 1])


def test_real_time_factor_is_split_by_length():
    found = real_time_factors([Timing(1, 2), Timing(3, 2), Timing(5, 10)])
    assert found["all"].n == 3 and found["short"].mean == pytest.approx(1.0)
    assert found["short"].sd == pytest.approx(np.std([0.5, 1.5], ddof=1))
    assert found["long"].mean == pytest.approx(0.5)
    many = real_time_factors([Timing(k, 100) for k in range(101)])["all"]
    assert many.p50 == pytest.approx(0.5) and many.p95 == pytest.approx(0.95)


class Chunk:
    def __init__(self, level: float) -> None:
        self.samples = np.full(10, level)


def test_latency_waits_for_sound_not_for_silence():
    seen = []

    def stream():
        for level in (0.0, 0.0, 0.3, 0.3):
            seen.append(level)
            yield Chunk(level)

    assert first_chunk_latency(stream) > 0
    assert seen == [0.0, 0.0, 0.3]
    with pytest.raises(ValueError, match="no sound"):
        first_chunk_latency(lambda: iter([Chunk(0.0)]))
