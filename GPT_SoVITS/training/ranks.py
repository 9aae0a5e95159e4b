"""Several processes as one: sums over ranks, and a loss whose average over ranks is the global one.

rank 0   loss of its rows x share 0 ┐
                                    ├ gradients averaged = gradient of the whole batch's loss
rank 1   loss of its rows x share 1 ┘   share = own count x ranks / all counts
"""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(value: Tensor) -> Tensor:
    """The sum of a value (any shape) over ranks, no gradient; itself where there is one rank."""
    if world_size() == 1:
        return value.detach()
    summed = value.detach().clone()
    dist.all_reduce(summed)
    return summed
