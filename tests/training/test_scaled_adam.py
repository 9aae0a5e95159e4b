"""ScaledAdam against the published optimiser, and resumed against uninterrupted."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from GPT_SoVITS.training.scaled_adam import ScaledAdam
from tests.vectors.checks import misses


@pytest.mark.parametrize("folder", ["nn", "nn_more"])
def test_parameters_after_every_step_are_the_published_ones(shared: Path, folder: str) -> None:
    assert misses(shared / "golden" / folder, "scaled_adam") == []


def steps(parameters: list[nn.Parameter], optimiser: ScaledAdam, n: int, *, first: int = 0) -> None:
    for step in range(first, first + n):
        generator = torch.Generator().manual_seed(step)
        for p in parameters:
            p.grad = torch.randn(p.shape, generator=generator)
        optimiser.step()


def test_a_resumed_optimiser_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = [nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.ones(1))]
    optimiser = ScaledAdam(whole, clipping_period=5)
    steps(whole, optimiser, 7)
    torch.save(optimiser.state_dict(), tmp_path / "state.pt")
    resumed = [nn.Parameter(p.detach().clone()) for p in whole]
    again = ScaledAdam(resumed, clipping_period=5)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    steps(whole, optimiser, 6, first=7)
    steps(resumed, again, 6, first=7)
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed))


def test_a_step_scales_with_the_size_of_the_tensor() -> None:
    small = nn.Parameter(torch.full((8,), 0.1))
    large = nn.Parameter(torch.full((8,), 1.0))
    for p in (small, large):
        p.grad = torch.ones(8)
    before = copy.deepcopy([small.data, large.data])
    ScaledAdam([small, large], lr=0.01).step()
    moved = [(b - p.data).abs().mean() for b, p in zip(before, (small, large))]
    assert float(moved[1] / moved[0]) == pytest.approx(10.0, rel=1e-4)
