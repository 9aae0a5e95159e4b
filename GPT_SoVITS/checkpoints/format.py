"""Our model files: save a network with its header, load it strictly.

``save_model(path, model, kind="s1", config=config, header={…})`` writes; ``load_s1`` / ``load_s2``
return ``(model, header)``. Every key must match in name and shape, and the config is compared with
the file's tensor table on the meta device before any weight is allocated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from GPT_SoVITS.checkpoints.container import (
    CheckpointError,
    FileInfo,
    inspect_safetensors,
    read_safetensors,
    write_safetensors,
)
from GPT_SoVITS.checkpoints.header import ModelHeader
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS

MAX_CONFIG_NUMBER = 2**20
SHOWN = 8


def save_model(
    path: str | Path,
    model: nn.Module,
    *,
    kind: str,
    config: Any,
    header: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``model``'s state and header; ``config`` is the network's config dataclass or a dict.

    ``header`` holds the other fields of :class:`ModelHeader` (symbols, tags, feature,
    quantizer_id, layout, source, licence, extra). The file appears complete or not at all.
    """
    values = _plain(config)
    fields = {k: v for k, v in (header or {}).items() if k not in ("kind", "config")}
    full = ModelHeader.from_json(_plain({"kind": kind, "config": values, **fields}), path=path)
    return write_safetensors(path, model.state_dict(), header=full.to_json())


def load_s1(path: str | Path) -> tuple[SemanticGPT, ModelHeader]:
    """Load ``s1.safetensors`` of ours, in eval mode on the CPU."""
    return _load(path, kind="s1", build=lambda values: SemanticGPT(_config(S1Config, values, path)))


def load_s2(path: str | Path) -> tuple[ConversationalVITS, ModelHeader]:
    """Load ``s2.safetensors`` of ours, in eval mode on the CPU."""
    return _load(
        path, kind="s2", build=lambda values: ConversationalVITS(_config(S2Config, values, path))
    )


def read_header(path: str | Path) -> ModelHeader:
    """The header alone; reads no weight."""
    return ModelHeader.from_json(inspect_safetensors(path).header, path=path)


def _load(path: str | Path, *, kind: str, build: Callable[[Mapping[str, Any]], Any]) -> Any:
    info = inspect_safetensors(path)
    header = ModelHeader.from_json(info.header, path=path)
    if header.kind != kind:
        raise CheckpointError(f"{path}: holds an {header.kind} model where {kind} is wanted")
    _check_config_size(path, header.config, info)
    with torch.device("meta"):
        expected = {k: tuple(v.shape) for k, v in build(header.config).state_dict().items()}
    compare_tables(path, expected, {k: v.shape for k, v in info.tensors.items()})
    model = build(header.config)
    tensors, _ = read_safetensors(path)
    model.load_state_dict(tensors, strict=True)
    model.eval()
    return model, header


def compare_tables(
    path: str | Path, expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise unless both tables have the same names and shapes; the message lists the
    differences."""
    problems = [f"missing {name}" for name in expected if name not in found]
    problems += [f"unexpected {name}" for name in found if name not in expected]
    problems += [
        f"{name}: shape {found[name]} where the config asks for {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    if problems:
        more = f" … and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise CheckpointError(f"{path}: " + "; ".join(problems[:SHOWN]) + more)


def _check_config_size(path: str | Path, config: Mapping[str, Any], info: FileInfo) -> None:
    """Refuse sizes no file of this size can hold, before a network is built from them."""
    for name, value in config.items():
        items = value if isinstance(value, list) else [value]
        numbers = [n for n in items if isinstance(n, int) and not isinstance(n, bool)]
        limit = len(info.tensors) if "layer" in name else MAX_CONFIG_NUMBER
        if any(abs(n) > limit for n in numbers):
            raise CheckpointError(f"{path}: config {name} = {value} is beyond what the file holds")


def _config(kind: type, values: Mapping[str, Any], path: str | Path) -> Any:
    """The network's config from JSON values: lists become tuples, unknown keys are named."""
    unknown = sorted(set(values) - {f.name for f in dataclasses.fields(kind)})
    if unknown:
        raise CheckpointError(f"{path}: config keys {unknown} are unknown to {kind.__name__}")
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: config refused by {kind.__name__}: {error}") from None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Tuples to lists, dataclasses to dicts, recursively: what JSON will hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
