"""Ours against the reference, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.vectors.folder import Vectors

RELATIVE = 1e-5
ABSOLUTE_SCALED_ADAM = 1e-6
WIDE_ABSOLUTE, WIDE_RELATIVE = 2e-5, 1e-4


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    file: str
    tensor: str
    difference: float
    limit: float
    passed: bool
    note: str = ""

    def __str__(self) -> str:
        verdict = "pass" if self.passed else "MISS"
        numbers = f"{self.difference:9.2e} (limit {self.limit:.1e})"
        return f"{self.file:28s} {self.tensor:52s} {numbers} {verdict} {self.note}".rstrip()


def compare(vectors: Vectors, ours: Mapping[str, Tensor]) -> Iterator[Row]:
    """A row per expected tensor; one nobody computed is a miss."""
    for name, theirs in vectors.expected.items():
        if name not in ours:
            yield Row(vectors.path.stem, name, float("inf"), 0.0, False, "not computed")
            continue
        yield _row(vectors, name, ours[name].detach().cpu(), theirs)


def _row(vectors: Vectors, name: str, ours: Tensor, theirs: Tensor) -> Row:
    file = vectors.path.stem
    if ours.numel() != theirs.numel():
        note = f"shape {tuple(ours.shape)}, expected {tuple(theirs.shape)}"
        return Row(file, name, float("inf"), 0.0, False, note)
    a, b = ours.reshape(-1).double(), theirs.reshape(-1).double()
    gap = (a - b).abs()
    difference = float(gap.max()) if gap.numel() else 0.0
    if not theirs.is_floating_point():
        return Row(file, name, difference, 0.0, torch.equal(a, b))
    if "adam" in file:
        return Row(file, name, difference, ABSOLUTE_SCALED_ADAM, difference <= ABSOLUTE_SCALED_ADAM)
    if vectors.folder.wide:
        # The speaker network sums 20 layers: the reference itself is further from float64 than
        # 1e-4 of its small elements, so its limit is taken from the scale.
        sizes = b.abs().max().expand_as(b) if "eres2net" in file else b.abs()
        limits = WIDE_ABSOLUTE + WIDE_RELATIVE * sizes
        passed = bool((gap <= limits).all())
        # The limit belongs to the difference beside it: the largest one, or one that is too large.
        worst = int((gap if passed else gap - limits).argmax()) if gap.numel() else None
        shown = (0.0, 0.0) if worst is None else (float(gap[worst]), float(limits[worst]))
        return Row(file, name, *shown, passed)
    limit = RELATIVE * float(b.abs().max()) if b.numel() else 0.0
    return Row(file, name, difference, limit, difference <= limit)
