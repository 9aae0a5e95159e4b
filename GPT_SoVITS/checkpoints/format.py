"""Our model files: save a network with its header, load it strictly.

``save_model(path, model, kind="s1", config=config, header={…})`` writes; ``load_s1`` / ``load_s2``
return ``(model, header)``. Every key must match in name and shape, and the config is compared with
the file's tensor table on the meta device before any weight is allocated.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from GPT_SoVITS.checkpoints.compare import check_sizes, compare_tables
from GPT_SoVITS.checkpoints.container import (
    inspect_safetensors,
    read_safetensors,
    write_safetensors,
)
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.header import ModelHeader

if TYPE_CHECKING:  # reading a header needs no network
    from GPT_SoVITS.nn.eres2net import ERes2NetV2
    from GPT_SoVITS.s1_gpt.model import SemanticGPT
    from GPT_SoVITS.s2_vits.discriminators import MultiPeriodDiscriminator
    from GPT_SoVITS.s2_vits.model import ConversationalVITS

log = logging.getLogger(__name__)


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
    loaded: tuple[SemanticGPT, ModelHeader] = _load(path, kind="s1")
    return loaded


def load_s2(path: str | Path) -> tuple[ConversationalVITS, ModelHeader]:
    """Load ``s2.safetensors`` of ours, in eval mode on the CPU."""
    loaded: tuple[ConversationalVITS, ModelHeader] = _load(path, kind="s2")
    return loaded


def read_header(path: str | Path) -> ModelHeader:
    """The header alone; reads no weight."""
    return ModelHeader.from_json(inspect_safetensors(path).header, path=path)


def _load(path: str | Path, *, kind: str) -> Any:
    info = inspect_safetensors(path)
    header = ModelHeader.from_json(info.header, path=path)
    if header.kind != kind:
        raise CheckpointError(f"{path}: holds an {header.kind} model where {kind} is wanted")
    check_sizes(path, header.config, n_tensors=len(info.tensors))
    expected = expected_shapes(kind, header.config, path=path)
    left_out = {name for name in expected if name.startswith(header.absent)}
    needed = {name: shape for name, shape in expected.items() if name not in left_out}
    compare_tables(path, needed, {k: v.shape for k, v in info.tensors.items()})
    model = build_model(kind, header.config, path=path)
    tensors, _ = read_safetensors(path)
    result = model.load_state_dict(tensors, strict=not left_out)
    if set(result.missing_keys) != left_out or result.unexpected_keys:
        raise CheckpointError(f"{path}: not loaded: {result}")
    if left_out:
        log.info("%s: without %s (as published); not for training", path, ", ".join(header.absent))
    model.eval()
    return model, header


def load_speaker(path: str | Path) -> tuple[ERes2NetV2, ModelHeader]:
    """Load ``sv.safetensors`` of ours, in eval mode on the CPU."""
    loaded: tuple[ERes2NetV2, ModelHeader] = _load(path, kind="sv")
    return loaded


def load_discriminators(path: str | Path) -> tuple[MultiPeriodDiscriminator, ModelHeader]:
    """Load ``s2d.safetensors`` of ours, in eval mode on the CPU."""
    loaded: tuple[MultiPeriodDiscriminator, ModelHeader] = _load(path, kind="s2d")
    return loaded


def build_model(kind: str, config: Mapping[str, Any], *, path: str | Path) -> Any:
    """A network with fresh weights from JSON config values."""
    if kind == "s1":
        from GPT_SoVITS.s1_gpt.config import S1Config
        from GPT_SoVITS.s1_gpt.model import SemanticGPT

        return SemanticGPT(_config(S1Config, config, path))
    if kind == "s2d":
        from GPT_SoVITS.s2_vits.discriminators import PERIODS, MultiPeriodDiscriminator

        return MultiPeriodDiscriminator(PERIODS[config["version"]])
    if kind == "sv":
        from GPT_SoVITS.nn.eres2net import ERes2NetV2

        return ERes2NetV2()
    from GPT_SoVITS.s2_vits.config import S2Config
    from GPT_SoVITS.s2_vits.model import ConversationalVITS

    return ConversationalVITS(_config(S2Config, config, path))


def expected_shapes(
    kind: str, config: Mapping[str, Any], *, path: str | Path
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network of ``config``, found without allocating a weight."""
    with torch.device("meta"), _Uninitialised():
        state = build_model(kind, config, path=path).state_dict()
    return {name: tuple(value.shape) for name, value in state.items()}


class _Uninitialised(TorchFunctionMode):
    """Skips the drawing of first weights: on the meta device it would only cost time."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Initialisers return their tensor as it is."""
        drawn = getattr(func, "__name__", "") in ("normal_", "uniform_")
        if drawn or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


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
