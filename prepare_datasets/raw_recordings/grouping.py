"""Regions of speech -> speakers: nearness of voices, and that after a pause the other one speaks.

Two first guesses (Ward's clusters; strict turn-taking) are improved in turns: means of the speakers
given who speaks, then the best sequence of speakers given the means (Viterbi). The guess that ends
more likely wins.
"""

from __future__ import annotations

import numpy as np

CHANGE = 0.8  # chance that another speaker follows; both values found on joined demo dialogues
EVIDENCE = 1 / 6  # what a coefficient counts: they are not independent of each other
ROUNDS = 10


def grouped(points: np.ndarray, speakers: int) -> np.ndarray:
    """(N, D) one point per region, in time -> (N,) speaker of each."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(points) <= speakers or speakers < 2:
        return np.arange(len(points)) % max(1, speakers)
    near = fcluster(linkage(points, method="ward"), speakers, criterion="maxclust") - 1
    guesses = [near, np.arange(len(points)) % speakers]
    return max((_improved(points, guess, speakers) for guess in guesses), key=lambda one: one[1])[0]


def _improved(points: np.ndarray, labels: np.ndarray, speakers: int) -> tuple[np.ndarray, float]:
    """(N,) labels and how likely they are, up to a constant."""
    score = float("-inf")
    for _ in range(ROUNDS):
        present = [points[labels == one] for one in range(speakers)]
        means = np.stack([p.mean(axis=0) if len(p) else points.mean(axis=0) for p in present])
        away = np.square(points[:, None] - means).sum(axis=2)  # (N, speakers)
        spread = max(1e-6, away[np.arange(len(points)), labels].mean() / points.shape[1])
        size = 0.5 * EVIDENCE * points.size * np.log(spread)
        better, path = _best_path(-0.5 * EVIDENCE * away / spread)
        score = path - float(size)
        if np.array_equal(better, labels):
            break
        labels = better
    return labels, score


def _best_path(evidence: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, speakers) log evidence -> the most likely sequence of speakers and its score."""
    speakers = evidence.shape[1]
    change = np.full((speakers, speakers), np.log(CHANGE / (speakers - 1)))
    np.fill_diagonal(change, np.log(1 - CHANGE))
    score, back = evidence[0], []
    for row in evidence[1:]:
        ways = score[:, None] + change
        back.append(ways.argmax(axis=0))
        score = ways.max(axis=0) + row
    path = [int(score.argmax())]
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return np.array(path[::-1]), float(score.max())
