"""Dynamic time warping, exact: the cheapest monotone path between two sequences of frames."""

from __future__ import annotations

import numpy as np


def warping_path(cost: np.ndarray) -> np.ndarray:
    """cost (N, M) of every pair -> path (P, 2) of pairs from (0, 0) to (N - 1, M - 1).

    Steps (1, 0), (0, 1), (1, 1), all of weight one (Sakoe & Chiba 1978); the diagonal wins ties.

    Raises `ValueError`.
    """
    n, m = cost.shape
    if not n or not m:
        raise ValueError(f"nothing to warp: {n} and {m} frames")
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0.0
    # Along anti-diagonals every cell depends on the two before: vectorised.
    for s in range(2, n + m + 1):
        i = np.arange(max(1, s - m), min(n, s - 1) + 1)
        j = s - i
        best = np.minimum(np.minimum(total[i - 1, j - 1], total[i - 1, j]), total[i, j - 1])
        total[i, j] = cost[i - 1, j - 1] + best
    path = [(n, m)]
    while path[-1] != (1, 1):
        i, j = path[-1]
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        path.append(min(steps, key=lambda at: total[at]))
    return np.asarray(path[::-1]) - 1


def distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Euclidean distances (N, M) between frames x (N, D) and y (M, D)."""
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    values: np.ndarray = np.sqrt(np.maximum(squared, 0.0))
    return values


def align(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Path (P, 2) between frames x (N, D) and y (M, D) by Euclidean distance."""
    return warping_path(distances(x, y))
