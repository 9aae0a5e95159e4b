"""Learning-rate schedules as multipliers of the base rate."""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, warmup: int, total: int, floor: float = 0.1) -> float:
    """Linear rise over `warmup` steps, then a cosine to `floor` at `total`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
