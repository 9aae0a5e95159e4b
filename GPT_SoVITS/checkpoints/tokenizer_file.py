"""``tokenizer.safetensors``: speech tokenizer, its feature config and prior statistics.

Step 4 writes it, s2 training copies it into the talker folder, the session reads it: the tokens
of a turn are the same wherever they are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.checkpoints.compare import compare_tables
from GPT_SoVITS.checkpoints.container import (
    inspect_safetensors,
    read_safetensors,
    write_safetensors,
)
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.features.encode import TurnEncoder
from GPT_SoVITS.features.kinds import FRAME_KINDS, FrameKind
from GPT_SoVITS.features.statistics import FeatureStatistics
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer

RUNNING_SUMS = ("quantizer.embed_avg", "quantizer.cluster_size")
"""Of a codebook that goes on learning; a file made for speaking leaves them out."""
IN_USE = 100.0
"""Count of a row whose sums were left out: far above that of a dead one."""


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
    """``FeatureStatistics`` of the corpus; empty for features without any (HuBERT)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Free notes: corpus, codes used, perplexity."""


def save_tokenizer(
    path: str | Path,
    tokenizer: SemanticTokenizer,
    *,
    feature: Mapping[str, Any],
    statistics: FeatureStatistics | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write a tokenizer with the features it belongs to; atomic."""
    header = {
        "schema_version": 1,
        "kind": "tokenizer",
        "config": tokenizer.config,
        "feature": dict(feature),
        "quantizer_id": tokenizer.quantizer_id(feature),
        "statistics": {} if statistics is None else statistics.to_json(),
        "extra": dict(extra or {}),
    }
    return write_safetensors(path, tokenizer.state_dict(), header=header)


def load_tokenizer(path: str | Path) -> tuple[SemanticTokenizer, TokenizerHeader]:
    """The tokenizer in eval mode; its id is computed again and must be the one it was saved
    with."""
    header = read_tokenizer_header(path)
    info = inspect_safetensors(path)
    sizes = {"ssl_dim", "semantic_dim", "n_codes"}
    numbers = [header.config.get(name) for name in sizes]
    if set(header.config) != sizes or any(type(n) is not int or n < 1 for n in numbers):
        raise CheckpointError(f"{path}: config {dict(header.config)} is not that of a tokenizer")
    table = info.tensors.get("quantizer.embed")
    wanted = (header.config["n_codes"], header.config["semantic_dim"])
    if table is None or table.shape != wanted:
        raise CheckpointError(f"{path}: no table of {wanted}")
    tokenizer = SemanticTokenizer(**header.config)
    tensors, _ = read_safetensors(path)
    if not set(RUNNING_SUMS) & set(tensors):  # as if every row were well in use
        count = torch.full((wanted[0],), IN_USE)
        sums = (tensors["quantizer.embed"] * count[:, None], count)
        tensors |= dict(zip(RUNNING_SUMS, sums, strict=True))
    expected = {name: tuple(value.shape) for name, value in tokenizer.state_dict().items()}
    compare_tables(path, expected, {name: tuple(value.shape) for name, value in tensors.items()})
    tokenizer.load_state_dict(tensors)
    found = tokenizer.quantizer_id(header.feature)
    if found != header.quantizer_id:
        raise CheckpointError(
            f"{path}: its quantizer_id is {header.quantizer_id}, the content gives {found}: changed"
        )
    return tokenizer.eval(), header


def load_turn_encoder(
    path: str | Path, *, settings: Mapping[str, Any] | None = None
) -> TurnEncoder:
    """What turns speech into tokens, exactly as the preparation did.

    With HuBERT features the model's folder is ``settings["hubert"]``, relative to the file's.

    Raises `CheckpointError`.
    """
    tokenizer, header = load_tokenizer(path)
    kind = FRAME_KINDS.get(str(header.feature.get("kind")))
    if kind is not None:
        named = (settings or {}).get("hubert")
        folder = Path(path).parent / str(named) if named else None
        frames = _FramesOnDemand(kind, folder, tokenizer.ssl_dim, Path(path))
        return TurnEncoder(header.feature, None, tokenizer.encode, frames=frames)
    if not header.statistics:
        raise CheckpointError(f"{path}: no feature statistics; run step 4 again")
    statistics = FeatureStatistics.from_json(header.statistics)
    return TurnEncoder(header.feature, statistics, tokenizer.encode)


def tokenizer_of(s2: Mapping[str, torch.Tensor]) -> SemanticTokenizer:
    """The tokenizer in an s2 state (our names): semantic projection and codebook (K, D)."""
    weight, table = s2["semantic_projection.weight"], s2["quantizer.embed"]
    tokenizer = SemanticTokenizer(int(weight.shape[1]), int(weight.shape[0]), int(table.shape[0]))
    names = {"projection.": "semantic_projection.", "quantizer.": "quantizer."}
    state = {}
    for name in tokenizer.state_dict():
        prefix = next(ours for ours in names if name.startswith(ours))
        state[name] = s2[names[prefix] + name.removeprefix(prefix)].float()
    tokenizer.load_state_dict(state)
    return tokenizer.eval()


class _FramesOnDemand:
    """HuBERT or its like, loaded when the first turn is heard: a first reply needs none."""

    def __init__(self, kind: FrameKind, folder: Path | None, dim: int, tokenizer: Path) -> None:
        self.dim, self._kind = dim, kind
        self._folder, self._tokenizer = folder, tokenizer
        self._model: Any = None

    def extract(self, samples: np.ndarray) -> np.ndarray:
        """samples (T,) at 32 kHz -> (F, dim)."""
        values: np.ndarray = self._loaded().extract(samples)
        return values

    def try_many(self, turns: Sequence[np.ndarray]) -> Sequence[np.ndarray | ValueError]:
        """The same of several turns, together."""
        values: Sequence[np.ndarray | ValueError] = self._loaded().try_many(turns)
        return values

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> Any:
        if self._kind.needs_folder and self._folder is None:
            raise CheckpointError(
                f"{self._tokenizer}: made of HuBERT features; to hear speech, name the local "
                'chinese-hubert-base folder in talker.json as "hubert", or import with --hubert'
            )
        device = "cuda" if torch.cuda.is_available() else "cpu"
        model = self._kind.open(self._folder, device, None)
        if model.dim != self.dim:
            raise CheckpointError(
                f"{self._folder}: features of width {model.dim}, {self._tokenizer} wants {self.dim}"
            )
        return model


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
