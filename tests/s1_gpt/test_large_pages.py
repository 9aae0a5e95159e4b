"""Memory in large pages is memory like any other: zero, aligned, copies equal, its owner kept."""

from __future__ import annotations

import gc

import pytest
import torch

from GPT_SoVITS.s1_gpt import large_pages

KINDS = [torch.float32, torch.bfloat16, torch.int8]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("shape", [(3, 5), (2, 1, 700, 1000), (2, 0, 4)], ids=str)
def test_zeros_are_those_of_the_framework(kind: torch.dtype, shape: tuple[int, ...]) -> None:
    like = torch.ones(1, dtype=kind)
    made = large_pages.zeros(shape, like=like)
    assert made.dtype == kind and made.shape == shape and made.is_contiguous()
    assert torch.equal(made, like.new_zeros(shape))
    if made.numel():
        assert made.data_ptr() % large_pages.LINE == 0
        made += 1  # it is the caller's to write


def test_nothing_but_a_cpu_is_given_numpys_memory() -> None:
    assert large_pages.zeros((2, 3), like=torch.ones(1, device="meta")).device.type == "meta"


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_copies_are_equal_aligned_and_apart(kind: torch.dtype) -> None:
    given = [torch.arange(n, dtype=torch.float32).to(kind).view(-1, 3) for n in (9, 75, 3)]
    copies = large_pages.together(given)
    gc.collect()
    assert all(torch.equal(copy, one) for copy, one in zip(copies, given, strict=True))
    assert all(copy.data_ptr() % large_pages.LINE == 0 for copy in copies)
    copies[0].fill_(1)
    assert torch.equal(copies[1], given[1]) and not torch.equal(copies[0], given[0])
