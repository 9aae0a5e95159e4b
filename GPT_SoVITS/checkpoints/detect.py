"""What a published state dict is: kind and version from its tensors, never from name or size.

h.layers.*, ar_predict_layer     s1: phoneme rows 512 -> symbols v1, 732 or more -> v2
cfm.*                            s2 v3 / v4: flow matching, recognised and refused
sv_emb                           s2 Pro: dec.conv_pre rows 768 or first kernel of dec.ups 20
                                 -> v2ProPlus, else v2Pro
enc_p.text_embedding             s2: 322 rows -> v1, 732 -> v2
discriminators.*                 s2d: 6 -> v1 / v2, 8 -> Pro
conv1, layer1.0.convs.*          sv: the speaker network of Pro
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

PLUS_KERNEL = 20
SYMBOLS_FROM_ROWS = ((322, "v1"), (732, "v2"))


@dataclass(frozen=True)
class Detected:
    """What a state dict is."""

    kind: str
    """``s1``, ``s2``, ``s2d`` (discriminators) or ``sv`` (speaker network)."""
    version: str
    """s2 and s2d: model version; s1: symbol version; sv: empty."""
    symbols: str
    """Phoneme table version, empty where the part has no phonemes."""


def detect(shapes: Mapping[str, tuple[int, ...]], *, path: str | Path) -> Detected:
    """Kind and version of a published state dict from its names and shapes (without any prefix).

    Raises `CheckpointError`.
    """
    if any(name.startswith("cfm.") for name in shapes):
        raise CheckpointError(
            f"{path}: an s2 model of version v3 or v4 (it has cfm.* tensors). Those "
            "generate a mel by flow matching with a separate vocoder; this program supports "
            "v1, v2, v2Pro and v2ProPlus"
        )
    if any(".lora_" in name for name in shapes):
        raise CheckpointError(f"{path}: a LoRA of v3 or v4, which are not supported")
    if "ar_predict_layer.weight" in shapes:
        rows = _rows(shapes, "ar_text_embedding.word_embeddings.weight", path)
        symbols = _symbols(rows, path)
        return Detected(kind="s1", version=symbols, symbols=symbols)
    if "enc_p.text_embedding.weight" in shapes:
        symbols = _symbols(_rows(shapes, "enc_p.text_embedding.weight", path), path)
        if "sv_emb.weight" not in shapes:
            return Detected(kind="s2", version=symbols, symbols=symbols)
        width = _rows(shapes, "dec.conv_pre.weight", path)
        first_up = shapes.get("dec.ups.0.weight_v", (0,))[-1]
        version = "v2ProPlus" if width == 768 or first_up == PLUS_KERNEL else "v2Pro"
        return Detected(kind="s2", version=version, symbols=symbols)
    heads = {m.group(1) for n in shapes if (m := re.match(r"discriminators\.(\d+)\.", n))}
    if heads:
        return Detected(kind="s2d", version="v2Pro" if len(heads) == 8 else "v2", symbols="")
    if "conv1.weight" in shapes and any(name.startswith("layer1.0.convs.") for name in shapes):
        return Detected(kind="sv", version="", symbols="")
    some = ", ".join(list(shapes)[:4]) or "none"
    raise CheckpointError(f"{path}: not a model this program knows (first tensors: {some})")


def find_state(content: Mapping[str, Any], *, path: str | Path) -> tuple[dict[str, Any], str]:
    """The state dict inside a published file and the form it came in.

    Forms: ``exported`` (weight), ``training`` (model), ``lightning`` (state_dict), ``bare``.
    Names come back without the ``model.`` prefix of s1. Raises `CheckpointError`.
    """
    for key, form in (("weight", "exported"), ("model", "training"), ("state_dict", "lightning")):
        if isinstance(content.get(key), dict):
            return _stripped(content[key], path), form
    if content and all(hasattr(value, "shape") for value in content.values()):
        return _stripped(content, path), "bare"
    raise CheckpointError(f"{path}: no weights in it (keys: {sorted(map(str, content))[:6]})")


def stored_config(content: Mapping[str, Any], path: str | Path) -> Mapping[str, Any] | None:
    """The config a published file carries (a Lightning file among its hyper-parameters).

    Raises `CheckpointError`.
    """
    config = content.get("config")
    if config is None:
        parameters = content.get("hyper_parameters")
        config = parameters.get("config") if isinstance(parameters, Mapping) else None
    if config is not None and not isinstance(config, Mapping):
        raise CheckpointError(f"{path}: its config is a {type(config).__name__}")
    try:
        json.dumps(config, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its config holds more than texts and finite numbers: {error}"
        ) from None
    return config


def _stripped(state: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    for name, value in state.items():
        if not isinstance(name, str) or not hasattr(value, "shape"):
            raise CheckpointError(f"{path}: entry {name!r} of the weights is not a tensor")
    if not state:
        raise CheckpointError(f"{path}: the weights are empty")
    prefixed = all(name.startswith("model.") for name in state)
    return {name.removeprefix("model.") if prefixed else name: v for name, v in state.items()}


def _rows(shapes: Mapping[str, tuple[int, ...]], name: str, path: str | Path) -> int:
    if name not in shapes or not shapes[name]:
        raise CheckpointError(f"{path}: {name} is missing")
    return int(shapes[name][0])


def _symbols(rows: int, path: str | Path) -> str:
    """A table may have grown by tags; it never shrinks below its symbols."""
    fitting = [version for least, version in SYMBOLS_FROM_ROWS if rows >= least]
    if not fitting:
        raise CheckpointError(f"{path}: {rows} phoneme rows belong to no known symbol table")
    return fitting[-1]
