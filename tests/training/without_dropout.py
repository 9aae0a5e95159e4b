"""A training in which no dropout draws: `python -m tests.training.without_dropout s2 …`."""

from __future__ import annotations

import sys

from torch import Tensor, nn

from GPT_SoVITS.training import train_s1, train_s2


def unchanged(self: nn.Dropout, x: Tensor) -> Tensor:
    """The reference encoder's dropout has no config key."""
    return x


if __name__ == "__main__":
    nn.Dropout.forward = unchanged  # type: ignore[method-assign]
    {"s1": train_s1.main, "s2": train_s2.main}[sys.argv[1]](sys.argv[2:])
