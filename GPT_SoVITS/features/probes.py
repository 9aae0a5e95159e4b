"""What semantic tokens still know: codes used, speaking style, phones; measured on held-out turns.

Everything is closed form or a few passes over counts, so step 4 can print it every time. A probe is
always fitted on the train split and scored on the other; `chance` is the most frequent class.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CodeUsage:
    """How evenly a set of tokens uses the codebook."""

    used: int
    n_codes: int
    perplexity: float
    """exp of the entropy of code frequencies; at most `n_codes`."""

    @property
    def share(self) -> float:
        """Used codes out of all."""
        return self.used / self.n_codes


@dataclass(frozen=True)
class ProbeScore:
    """Accuracy on held-out turns beside that of always guessing the most frequent class."""

    accuracy: float
    chance: float
    n_classes: int
    n_test: int


def code_usage(codes: Sequence[np.ndarray], n_codes: int) -> CodeUsage:
    """Usage over turns of codes (N,). Raises `ValueError`."""
    counts = np.bincount(np.concatenate(list(codes)), minlength=n_codes).astype(np.float64)
    if not counts.sum():
        raise ValueError("no tokens to count")
    p = counts[counts > 0] / counts.sum()
    return CodeUsage(int((counts > 0).sum()), n_codes, float(np.exp(-(p * np.log(p)).sum())))


def token_histograms(codes: Sequence[np.ndarray], n_codes: int) -> np.ndarray:
    """Turns of codes (N,) -> (turns, n_codes): square root of frequencies, rows of length one."""
    rows = [np.bincount(c, minlength=n_codes) / max(len(c), 1) for c in codes]
    return np.sqrt(np.asarray(rows, dtype=np.float64))


def style_probe(
    train: Sequence[np.ndarray],
    train_labels: Sequence[Hashable],
    test: Sequence[np.ndarray],
    test_labels: Sequence[Hashable],
    *,
    n_codes: int,
    penalty: float = 0.1,
) -> ProbeScore:
    """Ridge classifier from a turn's token histogram to its label (a style, pitch high or low).

    Raises `ValueError`.
    """
    if not len(train) or not len(test):
        raise ValueError("the style probe needs turns on both sides of the split")
    classes = sorted(set(train_labels), key=repr)
    x, held_out = token_histograms(train, n_codes), token_histograms(test, n_codes)
    y = np.asarray([[1.0 if label == c else -1.0 for c in classes] for label in train_labels])
    centre, offset = x.mean(0), y.mean(0)
    x, held_out = x - centre, held_out - centre
    # Dual form: turns are fewer than codes.
    gram = x @ x.T
    strength = penalty * max(float(np.trace(gram)) / len(gram), 1e-12)
    weights = x.T @ np.linalg.solve(gram + strength * np.eye(len(gram)), y - offset)
    guess = [classes[i] for i in (held_out @ weights + offset).argmax(1)]
    frequent = max(classes, key=lambda c: sum(label == c for label in train_labels))
    return ProbeScore(
        accuracy=float(np.mean([g == t for g, t in zip(guess, test_labels, strict=True)])),
        chance=float(np.mean([frequent == t for t in test_labels])),
        n_classes=len(classes),
        n_test=len(test),
    )


def high_low(levels: Sequence[float], *, threshold: float | None = None) -> list[str]:
    """Levels of turns (mean log pitch, mean log energy) -> "high" or "low" about their median.

    The labels of the style probe where a corpus has none of its own.
    """
    cut = float(np.median(levels)) if threshold is None else threshold
    return ["high" if level > cut else "low" for level in levels]


def phone_probe(
    train: Sequence[np.ndarray],
    train_phones: Sequence[Sequence[int]],
    test: Sequence[np.ndarray],
    test_phones: Sequence[Sequence[int]],
    *,
    n_codes: int,
    iterations: int = 8,
) -> ProbeScore:
    """Guess the phone of each token from that token alone.

    There are no alignments, so they are learnt: phones in order over tokens, P(code | phone) from
    counts, starting evenly spread (a flat-start hidden Markov model, Viterbi training). Held-out
    turns are aligned with the trained model, given their phones; the guess is not given them.

    Raises `ValueError`.
    """
    n_phones = 1 + max(max(p) for p in [*train_phones, *test_phones] if len(p))
    pairs = _usable(train, train_phones)
    held_out = _usable(test, test_phones)
    if not pairs or not held_out:
        raise ValueError("the phone probe needs turns with at least one token per phone")
    paths = [np.arange(len(c)) * len(p) // len(c) for c, p in pairs]
    for _ in range(iterations):
        counts = _count(pairs, paths, n_phones, n_codes)
        emission = _log_emission(counts)
        paths = [_align(emission[p][:, c]) for c, p in pairs]
    counts = _count(pairs, paths, n_phones, n_codes)
    emission = _log_emission(counts)
    guess = (counts + 1e-3 * counts.sum(1, keepdims=True) / n_codes).argmax(0)  # (n_codes,)
    frequent = int(counts.sum(1).argmax())
    truth = np.concatenate([p[_align(emission[p][:, c])] for c, p in held_out])
    tokens = np.concatenate([c for c, _ in held_out])
    return ProbeScore(
        accuracy=float((guess[tokens] == truth).mean()),
        chance=float((truth == frequent).mean()),
        n_classes=len(np.unique(np.concatenate([p for _, p in pairs]))),
        n_test=len(held_out),
    )


Pair = tuple[np.ndarray, np.ndarray]  # codes (N,), phones (X,)


def _usable(codes: Sequence[np.ndarray], phones: Sequence[Sequence[int]]) -> list[Pair]:
    pairs = [(np.asarray(c), np.asarray(p, dtype=np.int64)) for c, p in zip(codes, phones)]
    return [(c, p) for c, p in pairs if len(c) >= len(p) > 0]


def _count(
    pairs: Sequence[Pair], paths: Sequence[np.ndarray], n_phones: int, n_codes: int
) -> np.ndarray:
    """(n_phones, n_codes) of how often each phone was said with each code."""
    counts = np.zeros((n_phones, n_codes))
    for (codes, phones), path in zip(pairs, paths):
        np.add.at(counts, (phones[path], codes), 1.0)
    return counts


def _log_emission(counts: np.ndarray) -> np.ndarray:
    """log P(code | phone), smoothed towards the overall frequency of the code."""
    overall = (counts.sum(0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
    values: np.ndarray = np.log((counts + 5.0 * overall) / (counts.sum(1, keepdims=True) + 5.0))
    return values


def _align(score: np.ndarray) -> np.ndarray:
    """log P (X, N) -> best path (N,): phone index per token, 0 to X - 1, each at least once."""
    n_phones, n_tokens = score.shape
    best = np.full(n_phones, -np.inf)
    best[0] = score[0, 0]
    moved = np.zeros((n_tokens, n_phones), dtype=bool)
    for t in range(1, n_tokens):
        step = np.concatenate([[-np.inf], best[:-1]])
        moved[t] = step > best
        best = np.maximum(best, step) + score[:, t]
    path = np.empty(n_tokens, dtype=np.int64)
    at = n_phones - 1
    for t in range(n_tokens - 1, -1, -1):
        path[t] = at
        at -= int(moved[t, at])
    return path
