"""What a model file says about itself: config, symbols, features, quantizer, layout, source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

SCHEMA_VERSION = 1
KINDS = ("s1", "s2", "s2d", "sv")


@dataclass(frozen=True)
class ModelHeader:
    """The JSON header of ``s1.safetensors`` and ``s2.safetensors``."""

    kind: str
    """``s1``, ``s2``, ``s2d`` (discriminators) or ``sv`` (speaker network)."""
    config: Mapping[str, Any]
    """Constructor values of the network's config dataclass."""
    symbols: str = "v2"
    """Phoneme table version the text embedding was trained with."""
    tags: tuple[str, ...] = ()
    """Names of style tags appended to the phoneme table, in order."""
    feature: Mapping[str, Any] = field(default_factory=dict)
    """Content feature config, e.g. ``{"kind": "logmel", …}``."""
    quantizer_id: str = ""
    """Hash of projection + table + feature config; parts of one talker agree on it."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    """``LayoutConfig`` the model was trained with (s1): order, mask, history_mode,
    history_turns."""
    source: str = ""
    """Where the weights come from, in words or a hash; never a local path."""
    licence: str = ""
    """Licence of the weights, or empty where unknown."""
    absent: tuple[str, ...] = ()
    """Name prefixes this file leaves out, e.g. ``posterior_encoder.`` of an exported s2."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Free notes: step, git commit, training summary."""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise CheckpointError(f"kind is {self.kind!r}; it must be one of {KINDS}")
        if self.schema_version != SCHEMA_VERSION:
            raise CheckpointError(
                f"header schema {self.schema_version}; this program reads {SCHEMA_VERSION}"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return values | {"tags": list(self.tags), "absent": list(self.absent)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], *, path: str | Path) -> ModelHeader:
        """Read a header back; unknown or missing keys and wrong types are errors that name
        ``path``."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(known))
        if not values or "kind" not in values or "config" not in values:
            raise CheckpointError(
                f"{path}: no header of ours in this file; "
                "a published file must first go through `python -m GPT_SoVITS import-checkpoint`"
            )
        if unknown:
            raise CheckpointError(f"{path}: unknown header keys {unknown}")
        for name in ("config", "feature", "layout", "extra"):
            if not isinstance(values.get(name, {}), dict):
                raise CheckpointError(f"{path}: header key {name!r} must be an object")
        for name in ("kind", "symbols", "quantizer_id", "source", "licence"):
            if not isinstance(values.get(name, ""), str):
                raise CheckpointError(f"{path}: header key {name!r} must be a text")
        for name in ("tags", "absent"):
            items = values.get(name, [])
            if not isinstance(items, list) or not all(isinstance(i, str) for i in items):
                raise CheckpointError(f"{path}: header key {name!r} must be a list of texts")
        try:
            lists = {name: tuple(values.get(name, ())) for name in ("tags", "absent")}
            return cls(**(dict(values) | lists))
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
