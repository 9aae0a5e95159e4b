"""What can be judged of a published file without torch, so that a bad one costs no second.

``check_file`` raises what importing would raise: structure and names of the pickle (``zip_check``),
what the file is (``detect``), names no table knows, every shape of an s1, numbers that are not
finite; every name and shape of a network of published sizes. An s2 of other sizes is compared with
the network itself, later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.compare import check_sizes, compare_tables
from GPT_SoVITS.checkpoints.detect import Detected, detect, find_state, stored_config
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.keymaps import s1_config, s1_shapes
from GPT_SoVITS.checkpoints.keymaps_s2 import TABLES, listed, s2_config
from GPT_SoVITS.checkpoints.published_shapes import shapes_of
from GPT_SoVITS.checkpoints.rename import renamed
from GPT_SoVITS.checkpoints.sizes_s2 import Shapes
from GPT_SoVITS.checkpoints.tensor_entry import TensorEntry
from GPT_SoVITS.checkpoints.zip_check import CheckedFile, checked
from GPT_SoVITS.s2_vits.config import S2Config

# storage -> (numpy integer of its width, the bits of the exponent: all set is NaN or infinity)
EXPONENTS = {
    "Half": ("uint16", 0x7C00),
    "BFloat16": ("uint16", 0x7F80),
    "Float": ("uint32", 0x7F800000),
}
TEXT_TABLE = "enc_p.text_embedding.weight"
FREE = {"n_symbols", "p_dropout", "segment_frames", "freeze_quantizer", "resblock_dilations"}
"""Of an s2, what no other shape depends on."""
COUNTERS = "num_batches_tracked"
"""The only whole numbers among published weights."""
BLOCK = 1 << 20


def check_file(path: str | Path) -> None:
    """:class:`CheckpointError` naming file and reason unless the file may be imported, as far as
    that can be seen without building a network."""
    path = Path(path)
    with checked(path) as file:
        if not isinstance(file.content, dict):
            raise CheckpointError(
                f"{path}: holds a {type(file.content).__name__}, not a dictionary"
            )
        state, _ = find_state(file.content, path=path)
        shapes = {name: entry.shape for name, entry in state.items()}
        found = detect(shapes, path=path)
        stored = stored_config(file.content, path)
        renamed(shapes, TABLES[found.kind], path=path)
        config = _config(stored, found, shapes, path)
        check_sizes(path, config, n_tensors=len(shapes))
        posterior = any(name.startswith("enc_q.") for name in shapes)
        expected = expected_of(found.kind, config, with_posterior=posterior)
        if expected is not None:
            compare_tables(path, expected, shapes)
        for name, entry in state.items():
            if entry.storage.dtype not in EXPONENTS and not name.endswith(COUNTERS):
                raise CheckpointError(f"{path}: {name} is of type {entry.storage.dtype}, no weight")
        _check_finite(path, file, state)


def _config(stored: Any, found: Detected, shapes: Shapes, path: Path) -> dict[str, Any]:
    if found.kind == "s1":
        return s1_config(stored, path=path)
    if found.kind == "s2":
        return s2_config(stored, found, shapes, path=path)
    return {"version": found.version}


def expected_of(
    kind: str, config: Mapping[str, Any], *, with_posterior: bool
) -> Mapping[str, tuple[int, ...]] | None:
    """Published names and shapes of a network of these sizes; None for an s2 of other sizes than
    the published ones, which only the network itself can tell."""
    if kind == "s1":
        return s1_shapes(config)
    if kind == "sv":
        return shapes_of("sv")
    if kind == "s2d":
        return shapes_of(f"s2d {config['version']}")
    published = asdict(S2Config.published(config["version"]))
    same = {name for name in published if listed(config[name]) == listed(published[name])}
    if not set(published) - same <= FREE:
        return None
    expected = shapes_of(f"s2 {config['version']}")
    rows, width = config["n_symbols"], expected[TEXT_TABLE][1]
    expected[TEXT_TABLE] = (rows, width)
    return {n: s for n, s in expected.items() if with_posterior or not n.startswith("enc_q.")}


def _check_finite(path: Path, file: CheckedFile, state: Mapping[str, TensorEntry]) -> None:
    for key, names in _by_storage(state).items():
        data = file.storage(key)
        for name in names:
            if not _finite(state[name], data):
                raise CheckpointError(
                    f"{path}: {name} holds values that are not finite (NaN or inf)"
                )


def _by_storage(state: Mapping[str, TensorEntry]) -> dict[str, list[str]]:
    """Storage key -> the tensors whose numbers can be judged there."""
    groups: dict[str, list[str]] = {}
    for name, entry in state.items():
        if entry.storage.dtype in EXPONENTS and entry.contiguous:
            groups.setdefault(entry.storage.key, []).append(name)
    return groups


def _finite(entry: TensorEntry, data: bytes) -> bool:
    """No number of the tensor has all bits of its exponent set."""
    import numpy as np  # most bad files are refused before it is needed

    name, exponent = EXPONENTS[entry.storage.dtype]
    kind, count = np.dtype(name), math.prod(entry.shape)
    start = entry.offset * kind.itemsize if count else 0
    numbers = np.frombuffer(data, dtype=kind, count=count, offset=start)
    mask = kind.type(exponent)
    return not any(
        bool(((numbers[at : at + BLOCK] & mask) == mask).any()) for at in range(0, count, BLOCK)
    )
