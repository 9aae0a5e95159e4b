"""The phoneme symbols and their ids: rows of the text embeddings of s1 and s2 weights.

    v1: 322 symbols, sorted by code point   [ !=0 ,=1 -=2 ... _=95 ... …=321 ]
    v2: 732 symbols                         [ v1 | "[" "]" | 29 Korean | 379 Cantonese ]
    declared tags follow the table:         [ v2 | <laugh>=732 | [breath]=733 | ... ]

The order is a fact of the published weights (GPT-SoVITS, MIT); GPT-Talker's list is v1's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

from GPT_SoVITS.text.errors import TextError

V1_SIZE = 322
V2_SIZE = 732
UNKNOWN = "UNK"
PUNCTUATION = frozenset("!?….,-")
VERSIONS = ("v1", "v2")


@lru_cache(maxsize=1)
def _all_names() -> tuple[str, ...]:
    table = files("GPT_SoVITS.text").joinpath("tables/symbols.json")
    return tuple(json.loads(table.read_text(encoding="utf-8")))


class SymbolTable:
    """Symbols of one version, followed by the tags the user declared."""

    def __init__(self, version: str = "v2", *, tags: Sequence[str] = ()) -> None:
        if version not in VERSIONS:
            raise TextError(f"unknown symbol table {version!r}; there are {', '.join(VERSIONS)}")
        names = _all_names()[: V1_SIZE if version == "v1" else V2_SIZE]
        clash = sorted(set(tags) & set(names))
        if clash or len(set(tags)) != len(tags):
            raise TextError(f"tags must be new and different: {clash or list(tags)}")
        self.version = version
        self.tags = tuple(tags)
        self.names: tuple[str, ...] = (*names, *tags)
        self._index = {name: index for index, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __repr__(self) -> str:
        return f"SymbolTable({self.version!r}, tags={self.tags!r})"

    def ids(self, phonemes: Iterable[str]) -> tuple[int, ...]:
        """Ids of the phonemes; one outside the table becomes UNK, so that lengths stay equal."""
        unknown = self._index[UNKNOWN]
        return tuple(self._index.get(name, unknown) for name in phonemes)

    def unknown(self, phonemes: Iterable[str]) -> tuple[str, ...]:
        """Those phonemes the table does not have, in order."""
        return tuple(name for name in phonemes if name not in self._index)
