"""Where to cut a long recording: in its silences, so that no piece is shorter than asked.

    loud   ▇▇▇▇▁▁▁▁▁▁▁▁▁▁▁▁▇▇▇▇▇▇      a silence of `min_interval_ms` or more, once the piece has
    keep       ├──┤    ├──┤            `min_length_ms`; at most `max_silence_kept_ms` of it stays
    cut           ▼    ▼               on each side, ended at its quietest frame
    pieces ├──────┤    ├────────┤      silence at both ends of the recording goes the same way

The rule (and its parameters) is that of the slicers singing and speech corpora are made with, so
that pieces are the same as theirs; a loud recording without silences stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 8192  # frames measured at once


@dataclass(frozen=True)
class SliceConfig:
    """How a recording is cut; times in ms, the threshold in dB of full scale."""

    threshold_db: float = -34.0
    """Frames quieter than this are silence."""
    min_length_ms: int = 4000
    """No cut before a piece is so long."""
    min_interval_ms: int = 300
    """Least silence that may be cut."""
    hop_ms: int = 10
    """Step of the measurement; cuts lie on its grid."""
    max_silence_kept_ms: int = 500
    """Most silence left at each end of a piece."""

    def __post_init__(self) -> None:
        if not self.min_length_ms >= self.min_interval_ms >= self.hop_ms > 0:
            raise ValueError("slices: min_length_ms >= min_interval_ms >= hop_ms > 0 is needed")
        if self.max_silence_kept_ms < self.hop_ms:
            raise ValueError("slices: max_silence_kept_ms must be at least hop_ms")


def slices(samples: np.ndarray, sample_rate: int, config: SliceConfig) -> list[tuple[int, int]]:
    """(T,) -> (first sample, one past the last) of each piece; none of a silent recording."""
    per_ms = sample_rate / 1000
    hop = round(per_ms * config.hop_ms)
    interval = per_ms * config.min_interval_ms
    window = min(round(interval), 4 * hop)
    level = loudness(samples, window=window, hop=hop)
    cuts = _Cuts(
        level,
        silent=level < 10 ** (config.threshold_db / 20),
        interval=round(interval / hop),
        length=round(per_ms * config.min_length_ms / hop),
        keep=round(per_ms * config.max_silence_kept_ms / hop),
    )
    begins, ends = [0], []
    for end, begin in cuts.removed():
        ends.append(end)
        begins.append(begin)
    pieces = zip(begins, [*ends, len(level)], strict=True)
    return [(a * hop, min(b * hop, len(samples))) for a, b in pieces if a < b]


def loudness(samples: np.ndarray, *, window: int, hop: int) -> np.ndarray:
    """(T,), any rate -> (1 + T // hop,) root mean square around each hop, zeros outside."""
    if not len(samples):
        return np.zeros(0)
    padded = np.pad(samples.astype(np.float32, copy=False), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    parts = [
        np.square(frames[i : i + BLOCK], dtype=np.float64).mean(axis=1)
        for i in range(0, len(frames), BLOCK)
    ]
    values: np.ndarray = np.sqrt(np.concatenate(parts))
    return values


@dataclass(frozen=True)
class _Cuts:
    """Frames in, frames out."""

    level: np.ndarray
    silent: np.ndarray
    interval: int
    length: int
    keep: int

    def removed(self) -> Iterator[tuple[int, int]]:
        """(end of a piece, begin of the next) of each silence that is cut."""
        last = 0
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.silent.astype(np.int8), [0]])))
        for start, stop in zip(edges[0::2].tolist(), edges[1::2].tolist()):
            if stop == len(self.level):  # nothing loud comes after it
                if stop - start >= self.interval:
                    yield self._quietest(start, min(stop, start + self.keep)), stop
                return
            leading = start == 0 and stop > self.keep
            if leading or (stop - start >= self.interval and stop - last >= self.length):
                end, last = self._inside(start, stop)
                yield end, last

    def _inside(self, start: int, stop: int) -> tuple[int, int]:
        """The cut of a silence between `start` and the loud frame `stop`."""
        silence, keep = stop - start, self.keep
        if silence <= keep:
            middle = self._quietest(start, stop)
            return (0 if start == 0 else middle), middle
        end, begin = self._quietest(start, start + keep), self._quietest(stop - keep, stop)
        if start == 0:
            return 0, begin
        if silence <= 2 * keep:  # what is kept of both sides overlaps
            middle = self._quietest(stop - keep, start + keep)
            return min(end, middle), max(begin, middle)
        return end, begin

    def _quietest(self, first: int, last: int) -> int:
        """The first of the quietest frames from `first` to `last`, both included."""
        return first + int(np.argmin(self.level[first : last + 1]))
