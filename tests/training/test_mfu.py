"""FLOPs of a step, counted by us and by torch."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.mfu import step_flops, utilisation
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from tests.adapters.test_lora import S1, columns


def test_flops_are_those_torch_counts() -> None:
    model, batch = SemanticGPT(S1), columns(32)
    with FlopCounterMode(display=False) as counter:
        model(batch).sum().backward()
    attention = 12 * S1.n_layer * S1.hidden_dim * 32**2  # the CPU's fused one is not counted
    counted = counter.get_total_flops() + attention
    assert step_flops(model, [batch]) == pytest.approx(counted, rel=1e-6)


def test_utilisation_is_of_the_devices_peak() -> None:
    assert utilisation(312e12, 4.0, "NVIDIA A100-SXM4-80GB") == pytest.approx(0.25)
    assert utilisation(1.0, 1.0, "a toaster") is None
