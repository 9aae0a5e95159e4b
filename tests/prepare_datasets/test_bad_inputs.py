"""Every case of bad input ends as bad_inputs.md asks, and no good item is touched."""

from __future__ import annotations

import pytest

from tests.prepare_datasets.bad_cases import CASES, Case
from tests.prepare_datasets.bad_runs import Bench, special


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bad_inputs"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input_is_named_and_good_items_are_intact(bench: Bench, case: Case):
    verdict = bench.check(case)
    assert verdict.got == verdict.expected
    assert verdict.intact


def test_faults_of_the_run_itself(bench: Bench):
    for verdict in special(bench):
        assert verdict.got == verdict.expected, verdict
        assert verdict.intact, verdict


def test_every_case_of_the_catalogue_is_there():
    covered = {case.name.rstrip("abcdef") for case in CASES}
    covered |= {"B30", "B35", "B36", "B37", "B38", "B39"}  # in `special`
    assert covered == {f"B{number}" for number in range(1, 41)}
