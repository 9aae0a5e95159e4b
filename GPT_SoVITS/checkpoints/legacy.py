"""Read a published checkpoint without running anything it says: the only door to torch.load.

    zip_check     structure, members and the names the pickle uses
    torch.load    weights_only=True, mapped from disk; tensors dense and inside their storage

The pickled config class (``utils.HParams``) and ``pathlib`` objects become stand-ins that hold
values and do nothing; they leave here as plain dicts and texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.pickle_values import (
    CONFIG_CLASS,
    MAX_DEPTH,
    MAX_VALUES,
    PATH_CLASSES,
)
from GPT_SoVITS.checkpoints.zip_check import checked


class HParamsStandIn:
    """Takes the place of the pickled config class: a bag of attributes."""


class PathStandIn(str):
    """Takes the place of a pickled path: its parts as a text, usable on any system."""

    def __new__(cls, *parts: str) -> PathStandIn:
        return super().__new__(cls, "/".join(str(part) for part in parts))


@dataclass(frozen=True)
class LegacyFile:
    """A published file's content as plain values and tensors."""

    path: Path
    content: Mapping[str, Any]
    header: str
    """The two digits that stood in place of "PK", or an empty text."""


def read_legacy(path: str | Path) -> LegacyFile:
    """Read a published ``.ckpt`` / ``.pth`` safely; :class:`CheckpointError` names the file and
    reason."""
    path = Path(path)
    with checked(path) as file:
        digits = file.digits
        content = _load(path, file.source, mapped=not digits)
    plain = _Plain(path).of(content)
    if not isinstance(plain, dict):
        raise CheckpointError(f"{path}: holds a {type(plain).__name__}, not a dictionary")
    return LegacyFile(path=path, content=plain, header=digits)


def _load(path: Path, source: BinaryIO, *, mapped: bool) -> Any:
    allowed: list[Any] = [
        (HParamsStandIn, CONFIG_CLASS),
        *((PathStandIn, name) for name in sorted(PATH_CLASSES)),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            if mapped:
                return torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
            return torch.load(source, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # whatever the unpickler says: the file is not usable
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{path}: cannot be read: {reason[0][:300]}") from None


class _Plain:
    """Stand-ins to dicts and texts, tensors checked, anything else refused; bounded, in case the
    file shows PyTorch another pickle than it showed ``zip_check``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = 0

    def of(self, value: Any, *, depth: int = 0) -> Any:
        """``value`` as plain values."""
        self.seen += 1
        if depth > MAX_DEPTH or self.seen > MAX_VALUES:
            raise CheckpointError(f"{self.path}: nested too deep, or too many values")
        if isinstance(value, torch.Tensor):
            return _checked(self.path, value)
        if isinstance(value, HParamsStandIn):
            return self.of(dict(vars(value)), depth=depth + 1)
        if isinstance(value, Mapping):
            return {
                (k if isinstance(k, (int, str)) else str(k)): self.of(v, depth=depth + 1)
                for k, v in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.of(v, depth=depth + 1) for v in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return str(value) if isinstance(value, PathStandIn) else value
        raise CheckpointError(f"{self.path}: holds a {type(value).__name__}, which is refused")


def _checked(path: Path, tensor: torch.Tensor) -> torch.Tensor:
    """Dense, contiguous and inside its storage: a claimed size never exceeds the bytes in the
    file."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        raise CheckpointError(f"{path}: holds a {tensor.layout} tensor on {tensor.device}; refused")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise CheckpointError(f"{path}: a tensor of {tuple(tensor.shape)} exceeds its storage")
    return tensor
