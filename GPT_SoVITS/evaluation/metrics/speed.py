"""Speed: real-time factor for short and long sentences, and the wait for the first chunk.

What is counted is defined in docs/evaluation.md; the paper reports neither.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

LONG_SECONDS = 4.0


@dataclass(frozen=True)
class Timing:
    """One synthesis: seconds of wall time, seconds of sound."""

    wall_seconds: float
    audio_seconds: float

    @property
    def real_time_factor(self) -> float:
        """Wall time / audio time; below 1 is faster than real time."""
        return self.wall_seconds / self.audio_seconds


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation, median and 95th percentile."""

    mean: float
    sd: float
    n: int
    p50: float
    p95: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)


def spread(values: Sequence[float]) -> Spread:
    """Of one value or more; the (n - 1) standard deviation of one is 0. Raises `ValueError`."""
    if not values:
        raise ValueError("no values")
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    p50, p95 = (float(v) for v in np.percentile(values, (50, 95)))
    return Spread(statistics.fmean(values), deviation, len(values), p50, p95)


def real_time_factors(
    timings: Sequence[Timing], *, long_seconds: float = LONG_SECONDS
) -> dict[str, Spread]:
    """Spread over all, over short and over long (`long_seconds` of sound or more) sentences."""
    groups = {
        "all": [t.real_time_factor for t in timings],
        "short": [t.real_time_factor for t in timings if t.audio_seconds < long_seconds],
        "long": [t.real_time_factor for t in timings if t.audio_seconds >= long_seconds],
    }
    return {name: spread(values) for name, values in groups.items() if values}


class _Chunk(Protocol):
    @property
    def samples(self) -> np.ndarray: ...


def first_chunk_latency(stream: Callable[[], Iterator[_Chunk]]) -> float:
    """Seconds from the request to the first chunk that is not silent.

    The text is complete, model and reference are loaded; nothing of the request is cached.
    Raises ValueError where no chunk has sound.
    """
    started = time.perf_counter()
    chunks = stream()
    for chunk in chunks:
        if np.abs(chunk.samples).max(initial=0.0) > 1e-4:
            waited = time.perf_counter() - started
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
            return waited
    raise ValueError("the stream held no sound")
