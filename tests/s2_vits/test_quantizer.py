"""The codebook while it learns: its k-means start, dead codes, straight-through gradients."""

from __future__ import annotations

import torch

from GPT_SoVITS.s2_vits.quantizer import DEAD_BELOW, Quantizer


def clusters(n: int, *, seed: int = 0) -> torch.Tensor:
    """(1, 2, n): points around four far corners."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.tensor([[10.0, 10.0], [10.0, -10.0], [-10.0, 10.0], [-10.0, -10.0]])
    points = corners[torch.arange(n) % 4] + 0.1 * torch.randn(n, 2, generator=generator)
    return points.T[None]


def test_a_table_that_was_never_set_starts_from_k_means() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(4, 2)
    result = quantizer(clusters(200), update=True)
    assert float(quantizer.inited) == 1.0
    assert len(result.codes.unique()) == 4 and float(result.commitment) < 0.05


def test_lookup_alone_never_changes_the_table() -> None:
    quantizer = Quantizer(4, 2)
    quantizer.fit(clusters(40)[0].T)
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer(clusters(40, seed=1))
    quantizer.encode(clusters(40, seed=1))
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())


def test_dead_codes_become_vectors_of_the_batch() -> None:
    torch.manual_seed(0)
    quantizer = Quantizer(8, 2)
    quantizer.fit(clusters(80)[0].T)
    quantizer.cluster_size[5] = 0.0
    quantizer.embed[5] = 1000.0
    batch = clusters(40, seed=2)
    quantizer(batch, update=True)
    assert float(quantizer.cluster_size[5]) < DEAD_BELOW
    assert bool((quantizer.embed[5] == batch[0].T).all(dim=1).any())


def test_gradients_pass_straight_through() -> None:
    quantizer = Quantizer(4, 2)
    quantizer.fit(clusters(40)[0].T)
    x = clusters(8).requires_grad_()
    quantizer(x).quantized.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
