"""Paired comparison: literal expected numbers and refused input."""

from __future__ import annotations

import math

import pytest

from GPT_SoVITS.evaluation.paired import compare


def test_paired_difference_and_standard_error_are_those_of_the_gaps():
    result = compare([1.0, 2.0, 3.0], [2.0, 2.5, 4.5])  # gaps 1, 0.5, 1.5
    assert result.n_pairs == 3
    assert result.difference == pytest.approx(1.0)
    assert result.standard_error == pytest.approx(0.5 / math.sqrt(3))
    assert result.share_higher == 1.0
    assert "+1.0000" in result.sentence("true", "swapped", "nats")


def test_one_pair_has_no_standard_error():
    assert math.isnan(compare([1.0], [2.0]).standard_error)


@pytest.mark.parametrize("values, others", [([], []), ([1.0], [1.0, 2.0]), ([math.nan], [1.0])])
def test_what_cannot_be_compared_is_refused(values, others):
    with pytest.raises(ValueError):
        compare(values, others)
