"""A sample of dialogues that depends on their names alone, taken in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TypeVar

from prepare_datasets.splits import place

T = TypeVar("T")


def sample_dialogues(
    dialogues: Iterable[tuple[str, T, int]], *, enough: int, seed: int
) -> dict[str, T]:
    """(name, dialogue, weight) -> the fewest dialogues, in the seed's order, that weigh `enough`.

    In memory is what is returned, at most one dialogue more.
    """
    heap: list[tuple[float, str, T, int]] = []  # the one that comes last in the seed's order first
    total = 0
    for name, dialogue, weight in dialogues:
        heapq.heappush(heap, (-place(name, seed), name, dialogue, weight))
        total += weight
        while heap and total - heap[0][3] >= enough:
            total -= heapq.heappop(heap)[3]
    return {name: dialogue for _, name, dialogue, _ in sorted(heap, key=lambda one: -one[0])}
