"""One safe file: safetensors tensors plus a JSON header, checked before anything is allocated.

    8 bytes  header length (little endian)
    JSON     {"__metadata__": {"talker": "<our header>"}, "<tensor>": {dtype, shape, data_offsets}}
    bytes    the tensors, back to back

A file is refused when its header is oversized or not JSON, when a tensor's byte range does not fit
its shape and dtype, or when the ranges do not cover the file exactly: a short file is found
without reading it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from GPT_SoVITS.atomic import replacing
from GPT_SoVITS.checkpoints.errors import MAX_FILE_BYTES, CheckpointError

MAX_HEADER_BYTES = 16 * 1024 * 1024
METADATA_KEY = "talker"
DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
DTYPE_BYTES |= {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class TensorInfo:
    """What a file says of one tensor: its dtype name and its shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FileInfo:
    """The checked header of a safetensors file: our JSON header (may be empty) and the tensor
    table."""

    header: dict[str, Any]
    tensors: dict[str, TensorInfo]


def write_safetensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], *, header: Mapping[str, Any]
) -> Path:
    """Write ``tensors`` and the JSON ``header`` at once or not at all (temporary file, then
    rename)."""
    path = Path(path)
    plain = {name: t.detach().to("cpu", copy=True).contiguous() for name, t in tensors.items()}
    text = json.dumps(dict(header), ensure_ascii=False, sort_keys=True, allow_nan=False)
    with replacing(path) as partial:
        save_file(plain, partial, metadata={METADATA_KEY: text})
    return path


def inspect_safetensors(path: str | Path) -> FileInfo:
    """Read and check the header alone; no tensor is read and nothing of its size is allocated.

    Raises `CheckpointError`.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"{path}: {size} bytes, more than the limit of {MAX_FILE_BYTES}")
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
            raise CheckpointError(f"{path}: not a safetensors file (header length {length})")
        raw = file.read(length)
    try:
        table = json.loads(raw)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the safetensors header is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise CheckpointError(f"{path}: the safetensors header is not an object")
    metadata = table.pop("__metadata__", {})
    tensors = _check_table(path, table, data_bytes=size - 8 - length)
    return FileInfo(header=_own_header(path, metadata), tensors=tensors)


def read_safetensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checked file: its tensors (any shape) on the CPU, and our JSON header or {}."""
    info = inspect_safetensors(path)
    with safe_open(str(path), framework="pt", device="cpu") as file:
        return {name: file.get_tensor(name) for name in info.tensors}, info.header


def _check_table(path: Path, table: dict[str, Any], *, data_bytes: int) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    ranges: list[tuple[int, int, str]] = []
    for name, entry in table.items():
        try:
            dtype, shape = entry["dtype"], tuple(entry["shape"])
            begin, end = entry["data_offsets"]
        except (TypeError, KeyError, ValueError):
            raise CheckpointError(f"{path}: the entry of tensor {name!r} is malformed") from None
        numbers = (*shape, begin, end)
        if any(type(n) is not int or n < 0 for n in numbers) or dtype not in DTYPE_BYTES:
            raise CheckpointError(f"{path}: tensor {name!r} has dtype {dtype!r}, shape {shape}")
        if math.prod(shape) * DTYPE_BYTES[dtype] != end - begin:
            raise CheckpointError(
                f"{path}: tensor {name!r} of shape {shape} does not fit {end - begin} bytes"
            )
        tensors[name] = TensorInfo(dtype=dtype, shape=shape)
        ranges.append((begin, end, name))
    position = 0
    for begin, end, name in sorted(ranges):
        if begin != position:
            raise CheckpointError(f"{path}: gap or overlap before tensor {name!r}")
        position = end
    if position != data_bytes:
        raise CheckpointError(
            f"{path}: {data_bytes} bytes of data where the header promises {position}: truncated?"
        )
    return tensors


def _own_header(path: Path, metadata: Any) -> dict[str, Any]:
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if text is None:
        return {}
    try:
        header = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: our header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: our header is not an object")
    return header
