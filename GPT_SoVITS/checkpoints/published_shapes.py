"""Names and shapes of the published networks of fixed sizes, known without building one.

    shapes_of("s2 v2Pro")    {"enc_p.ssl_proj.weight": (192, 768, 1), …}

tables/published_shapes.json.gz holds s2 of the four versions, both sets of discriminators and the
speaker network, each as its differences from the first. `write()` makes it of our own networks; a
test compares.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).parent / "tables" / "published_shapes.json.gz"
BASE = "s2 v2"
Shapes = dict[str, tuple[int, ...]]


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, list[int] | None]]:
    with gzip.open(TABLE, "rt", encoding="utf-8") as file:
        versions: dict[str, dict[str, list[int] | None]] = json.load(file)
        return versions


def shapes_of(network: str) -> Shapes:
    """The table of one network: ``s2 v1`` … ``s2 v2ProPlus``, ``s2d v2``, ``s2d v2Pro``, ``sv``."""
    table = _table()
    merged = table[BASE] | table[network] if network.startswith("s2 ") else table[network]
    return {name: tuple(shape) for name, shape in merged.items() if shape is not None}


def write(networks: Mapping[str, Shapes]) -> None:
    """Store the tables; of s2 what differs from v2, absent names as null."""
    base = networks[BASE]
    stored: dict[str, dict[str, list[int] | None]] = {}
    for network, shapes in networks.items():
        whole = network == BASE or not network.startswith("s2 ")
        own = {n: list(s) for n, s in shapes.items() if whole or base.get(n) != s}
        gone = {} if whole else dict.fromkeys(set(base) - set(shapes))
        stored[network] = own | gone
    text = json.dumps(stored, sort_keys=True, separators=(",", ":"))
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
