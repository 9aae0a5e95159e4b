"""An adapter as one small safetensors file that says which base it belongs to.

tensors   <module>.lora_A, <module>.lora_B   low-rank matrices
          rows                               new rows of the phoneme table
          condition                          (G,) what stands for the reference in stage 2
header    {"schema_version": 1, "kind": "s1", "name": …, "scale": …, "base": …, …}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from GPT_SoVITS.atomic import replacing

METADATA_KEY = "adapter"
SCHEMA_VERSION = 1
SAMPLED = 256
TRAINING_ONLY = "posterior_encoder."


class AdapterError(ValueError):
    """An adapter that cannot be read, or belongs to another base."""


@dataclass(frozen=True)
class AdapterHeader:
    """What an adapter says of itself."""

    kind: str
    """s1 or s2"""
    name: str
    scale: float
    """alpha / rank"""
    base: str
    """`fingerprint` of the base model"""
    symbols: str = "v2"
    tags: tuple[str, ...] = ()
    """All tags of the phoneme table, the base's first."""
    first_row: int = 0
    """Where `rows` begin in the phoneme table."""
    speaker: str = ""
    """Whose turns it was trained on; empty: everyone's."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True)
class Adapter:
    """Header and tensors."""

    header: AdapterHeader
    tensors: Mapping[str, Tensor]

    @property
    def rows(self) -> Tensor | None:
        """(n, D) new rows of the phoneme table."""
        return self.tensors.get("rows")

    @property
    def n_parameters(self) -> int:
        """Numbers in the file."""
        return sum(t.numel() for t in self.tensors.values())


def save_adapter(path: str | Path, adapter: Adapter) -> Path:
    """Write the file complete or not at all."""
    path = Path(path)
    plain = {name: t.detach().cpu().contiguous() for name, t in adapter.tensors.items()}
    text = json.dumps(asdict(adapter.header), ensure_ascii=False, sort_keys=True)
    with replacing(path) as partial:
        save_file(plain, partial, metadata={METADATA_KEY: text})
    return path


def load_adapter(path: str | Path) -> Adapter:
    """Read a file of `save_adapter`; anything else is an error that names it."""
    if not Path(path).is_file():
        raise AdapterError(f"{path}: no such adapter")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            values = json.loads((file.metadata() or {}).get(METADATA_KEY, "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path}: not a safetensors file: {error}") from None
    known = {f.name for f in fields(AdapterHeader)}
    if (
        not isinstance(values, dict)
        or not {"kind", "name", "scale", "base"} <= set(values) <= known
    ):
        raise AdapterError(f"{path}: not an adapter of ours (its header is missing or foreign)")
    if values.get("schema_version") != SCHEMA_VERSION:
        raise AdapterError(f"{path}: adapter schema {values.get('schema_version')} is unknown")
    header = AdapterHeader(**(values | {"tags": tuple(values.get("tags", ()))}))
    return Adapter(header, tensors)


def adapter_folder(talker: Path, adapter: str | Path) -> Path:
    """A name among the talker's own adapters, else a folder."""
    own, given = talker / "adapters" / adapter, Path(adapter)
    return given if given.is_dir() and not own.is_dir() else own


def load_adapters(folder: str | Path) -> dict[str, Adapter]:
    """{kind: adapter} of `<folder>/s1.safetensors` and `s2.safetensors`, one or both.

    Raises `AdapterError`.
    """
    folder = Path(folder)
    paths = {kind: folder / f"{kind}.safetensors" for kind in ("s1", "s2")}
    found = {kind: load_adapter(path) for kind, path in paths.items() if path.is_file()}
    if not found:
        names = sorted({p.parent.name for p in folder.parent.glob("*/s?.safetensors")})
        known = f"there are {', '.join(names)}" if names else "there is none beside it either"
        raise AdapterError(f"{folder}: no adapter here; {known}")
    for kind, adapter in found.items():
        if adapter.header.kind != kind:
            raise AdapterError(f"{paths[kind]}: holds an {adapter.header.kind} adapter")
    return found


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """16 hex digits of names, shapes (of any rank) and some values of every tensor; quick.

    Without the posterior encoder, which speaking does not need and some files leave out.
    """
    digest = hashlib.sha256()
    for name in sorted(n for n in state if not n.startswith(TRAINING_ONLY)):
        tensor = state[name].detach()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        flat = tensor.reshape(-1)
        some = flat[:: max(1, len(flat) // SAMPLED)][:SAMPLED]
        digest.update(some.to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
