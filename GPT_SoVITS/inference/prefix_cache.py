"""PrefixCache: histories already encoded, shared by all requests of a talker, found by content.

    request 1   [text 1][speech 1][text 2][speech 2][text r]
    request 2   [text 1][speech 1][text 2][speech 2][text 3][speech 3][text r']
                 └────────── found: computed once ──┘

An entry is known by a hash of its columns at the end of every segment, so that a dialogue that
goes another way still shares its beginning. What is found is compared column by column before use.
The entry unused for longest leaves when ``max_bytes`` are exceeded.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from GPT_SoVITS.dialogue.layout import Columns
from GPT_SoVITS.inference.prefix import COMPARED, CachedColumns

MEGABYTE = 2**20


class PrefixCache:
    """Thread-safe; for one network, precision and mask rule."""

    def __init__(self, max_bytes: int = 512 * MEGABYTE) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes is {max_bytes}; it must be 0 or more (0 keeps nothing)")
        self.max_bytes = max_bytes
        self._entries: OrderedDict[bytes, tuple[CachedColumns, list[bytes]]] = OrderedDict()
        self._places: dict[bytes, bytes] = {}
        """Digest at a segment's end -> key of an entry that begins so."""
        self._lock = threading.Lock()
        self.hits = self.misses = 0

    @property
    def n_bytes(self) -> int:
        """Memory of the keys and values held, room for later columns included."""
        with self._lock:
            return self._bytes()

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, wanted: Columns) -> CachedColumns | None:
        """The entry that shares the longest beginning with ``wanted``; None without any."""
        marks = segment_digests(wanted)
        with self._lock:
            key = next((self._places[m] for m in reversed(marks) if m in self._places), None)
            if key is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, cached: CachedColumns) -> None:
        """Keep a history; the caller goes on using it, nothing is copied."""
        marks = segment_digests(cached.columns)
        if not marks or cached.cache.n_bytes > self.max_bytes:
            return
        with self._lock:
            for mark in marks:  # what this one begins with needs no entry of its own
                self._drop(mark)
            self._entries[marks[-1]] = (cached, marks)
            self._places |= dict.fromkeys(marks, marks[-1])
            while self._bytes() > self.max_bytes:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        if key not in self._entries:
            return
        _, marks = self._entries.pop(key)
        for mark in marks:
            if self._places.get(mark) == key:
                del self._places[mark]

    def _bytes(self) -> int:
        return sum(
            {id(c.cache.buffer): c.cache.n_bytes for c, _ in self._entries.values()}.values()
        )


def segment_digests(columns: Columns) -> list[bytes]:
    """A hash of all columns so far, at the end of every segment."""
    ends = np.flatnonzero(np.diff(columns.segment, append=-1)) + 1
    running, start, digests = hashlib.blake2b(digest_size=16), 0, []
    for end in ends.tolist():
        for name in COMPARED:
            running.update(np.ascontiguousarray(getattr(columns, name)[start:end]).tobytes())
        if columns.bert is not None and columns.bert[start:end].any():
            running.update(np.ascontiguousarray(columns.bert[start:end]).tobytes())
        digests.append(running.copy().digest())
        start = end
    return digests
