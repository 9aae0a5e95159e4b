"""``tokenizer.safetensors``: speech tokenizer, its feature config and prior statistics.

Step 4 writes it, s2 training copies it into the talker folder, the session reads it: the tokens
of a turn are the same wherever they are made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.checkpoints.container import (
    CheckpointError,
    inspect_safetensors,
    write_safetensors,
)
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer

STATISTICS_PREFIX = "statistics."


@dataclass(frozen=True)
class TokenizerHeader:
    """Facts beside the tensors of a tokenizer file."""

    config: Mapping[str, Any]
    """Constructor values of :class:`SemanticTokenizer`."""
    feature: Mapping[str, Any]
    """Content feature config the tokenizer was fitted on."""
    quantizer_id: str
    """16 hex digits: hash of projection + table + feature config."""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    """JSON part of the prior feature statistics (speaker normalisation)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Free notes: corpus, codes used, perplexity."""


@dataclass(frozen=True)
class TokenizerFile:
    """A loaded tokenizer file; ``statistics`` are the tensors stored under ``statistics.*``."""

    tokenizer: SemanticTokenizer
    header: TokenizerHeader
    statistics: dict[str, torch.Tensor]


def save_tokenizer(
    path: str | Path,
    tokenizer: SemanticTokenizer,
    *,
    config: Mapping[str, Any],
    feature: Mapping[str, Any],
    quantizer_id: str,
    statistics: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a tokenizer; ``statistics`` may mix tensors (stored as tensors) and JSON values."""
    tensors = dict(tokenizer.state_dict())
    plain: dict[str, Any] = {}
    for name, value in (statistics or {}).items():
        if isinstance(value, torch.Tensor):
            tensors[STATISTICS_PREFIX + name] = value
        else:
            plain[name] = value
    header = {
        "schema_version": 1,
        "kind": "tokenizer",
        "config": dict(config),
        "feature": dict(feature),
        "quantizer_id": quantizer_id,
        "statistics": plain,
        "extra": dict(extra or {}),
    }
    return write_safetensors(path, tensors, header=json.loads(json.dumps(header)))


def read_tokenizer_header(path: str | Path) -> TokenizerHeader:
    """The header alone."""
    return _header(inspect_safetensors(path).header, path)


def _header(values: Mapping[str, Any], path: str | Path) -> TokenizerHeader:
    wanted = {"config": dict, "feature": dict, "quantizer_id": str, "statistics": dict}
    if values.get("kind") != "tokenizer" or values.get("schema_version") != 1:
        raise CheckpointError(f"{path}: not a tokenizer file of ours")
    for name, kind in wanted.items():
        if not isinstance(values.get(name), kind):
            raise CheckpointError(f"{path}: header key {name!r} is missing or of the wrong type")
    return TokenizerHeader(
        config=values["config"],
        feature=values["feature"],
        quantizer_id=values["quantizer_id"],
        statistics=values["statistics"],
        extra=values.get("extra", {}),
    )
