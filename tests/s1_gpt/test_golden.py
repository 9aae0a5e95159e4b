"""Our semantic GPT against the published modules; the checks are those of `tests.check_vectors`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vectors.checks import misses

SMALL = [
    ("nn", "s1_small_a_single"),
    ("nn", "s1_small_b_single"),
    ("nn", "s1_small_a_dialogue"),
    ("nn", "s1_small_b_dialogue"),
    ("nn_more", "s1_v1_small"),
    ("nn_more", "s1_v2_small"),
    ("nn_more", "s1_dialogue_small"),
    ("nn_more", "s1_v1.expected"),
    ("nn_more", "s1_v2.expected"),
]
FULL = [("nn", "s1_v1_single"), ("nn", "s1_v1_dialogue")]


@pytest.mark.parametrize(("folder", "name"), SMALL)
def test_every_reference_number_is_met(shared: Path, folder: str, name: str) -> None:
    assert misses(shared / "golden" / folder, name) == []


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), FULL)
def test_every_reference_number_is_met_at_full_size(shared: Path, folder: str, name: str) -> None:
    assert misses(shared / "golden" / folder, name) == []
