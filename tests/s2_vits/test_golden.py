"""Our synthesiser against the published modules; the checks are those of `tests.check_vectors`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vectors.checks import misses

VERSIONS = ("v1", "v2", "v2pro", "v2proplus")
SMALL = [("nn_more", f"s2_{version}_small") for version in VERSIONS]
SMALL += [("nn_more", "s2_components"), ("nn_more", "s2_losses_mel"), ("nn", "spectrogram")]
FULL = [("nn", f"s2g_{version}") for version in VERSIONS]
FULL += [("nn_more", f"s2_{version}_full") for version in VERSIONS]
FULL += [("nn", "s2d_v1_v2"), ("nn", "s2d_v2pro")]
FULL += [("nn_more", "s2_disc_v2"), ("nn_more", "s2_disc_v2pro")]


@pytest.mark.parametrize(("folder", "name"), SMALL)
def test_every_reference_number_is_met(shared: Path, folder: str, name: str) -> None:
    assert misses(shared / "golden" / folder, name) == []


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "name"), FULL)
def test_every_reference_number_is_met_at_full_size(shared: Path, folder: str, name: str) -> None:
    assert misses(shared / "golden" / folder, name) == []
