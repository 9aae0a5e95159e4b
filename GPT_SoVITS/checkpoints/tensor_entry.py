"""Where a tensor lies in a PyTorch zip, by numbers alone: nothing of it has been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

STORAGE_BYTES = {"Float": 4, "Half": 2, "BFloat16": 2, "Double": 8, "Long": 8, "Int": 4}
STORAGE_BYTES |= {"Short": 2, "Char": 1, "Byte": 1, "Bool": 1}


@dataclass(frozen=True)
class StorageEntry:
    """The bytes behind tensors: a member ``data/<key>`` of the zip."""

    dtype: str
    """``Float``, ``Half``, … as PyTorch names its storages."""
    key: str
    count: int


@dataclass(frozen=True)
class TensorEntry:
    """A tensor by its place: nothing of it has been read."""

    storage: StorageEntry
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Its values lie one behind the other, in order."""
        expected = 1
        for size, step in zip(reversed(self.shape), reversed(self.stride), strict=True):
            if size != 1 and step != expected:
                return False
            expected *= size
        return True


def tensor_at(storage: Any, offset: Any, shape: Any, stride: Any) -> TensorEntry:
    """The tensor (any shape), once all of it lies inside its storage. Raises `CheckpointError`."""
    if not isinstance(storage, StorageEntry):
        raise CheckpointError("builds a tensor of something that is not a storage")
    entry = TensorEntry(
        storage,
        whole_number(offset),
        tuple(map(whole_number, shape)),
        tuple(map(whole_number, stride)),
    )
    count, last = 1, entry.offset
    for size, step in zip(entry.shape, entry.stride, strict=True):
        count, last = count * size, last + (size - 1) * step
    if count and max(last + 1, count) > storage.count:
        raise CheckpointError(f"a tensor of {entry.shape} exceeds its storage")
    return entry


def whole_number(value: Any) -> int:
    """``value``, if it can be a size. Raises `CheckpointError`."""
    if type(value) is not int or value < 0:
        raise CheckpointError(f"a size is a {type(value).__name__}, not a number of 0 or more")
    return value
