"""Names of the published s1 files <-> ours, and their config <-> ours (s2: ``keymaps_s2``)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.rename import Table
from GPT_SoVITS.s1_gpt.config import S1Config

# theirs (without the leading "model.") -> ours
S1_NAMES: Table = (
    ("bert_proj.{rest}", "embedding.bert_projection.{rest}"),
    ("ar_text_embedding.word_embeddings.weight", "embedding.text.weight"),
    ("ar_text_position.alpha", "embedding.text_position.alpha"),
    ("ar_audio_embedding.word_embeddings.weight", "embedding.semantic.weight"),
    ("ar_audio_position.alpha", "embedding.semantic_position.alpha"),
    ("h.layers.{i}.self_attn.in_proj_weight", "layers.{i}.attention.qkv.weight"),
    ("h.layers.{i}.self_attn.in_proj_bias", "layers.{i}.attention.qkv.bias"),
    ("h.layers.{i}.self_attn.out_proj.{rest}", "layers.{i}.attention.out.{rest}"),
    ("h.layers.{i}.linear1.{rest}", "layers.{i}.feed_forward_in.{rest}"),
    ("h.layers.{i}.linear2.{rest}", "layers.{i}.feed_forward_out.{rest}"),
    ("h.layers.{i}.norm1.{rest}", "layers.{i}.norm1.{rest}"),
    ("h.layers.{i}.norm2.{rest}", "layers.{i}.norm2.{rest}"),
    ("ar_predict_layer.weight", "head.weight"),
)
BERT_DIM = 1024
# additions of ours that the published network does not have (zero until trained)
S1_OURS_ONLY = ("embedding.role.", "turn_bias")
# their model config -> S1Config
S1_CONFIG = {
    "hidden_dim": "hidden_dim",
    "head": "n_head",
    "n_layer": "n_layer",
    "vocab_size": "vocab_size",
    "phoneme_vocab_size": "phoneme_vocab_size",
    "dropout": "embedding_dropout",
}


def s1_config(stored: Mapping[str, Any] | None, *, path: str | Path) -> dict[str, Any]:
    """``S1Config`` values from the config inside a published file; the head count is only there.

    Raises `CheckpointError`.
    """
    model = (stored or {}).get("model")
    if not isinstance(model, Mapping) or "head" not in model:
        raise CheckpointError(
            f"{path}: no model config with a head count; it cannot be found from the tensors"
        )
    values: dict[str, Any] = {}
    for theirs, ours in S1_CONFIG.items():
        value = model.get(theirs)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{path}: config model.{theirs} is {value!r}, not a number")
        values[ours] = float(value) if theirs == "dropout" else int(value)
    if model.get("embedding_dim", values["hidden_dim"]) != values["hidden_dim"]:
        raise CheckpointError(f"{path}: embedding_dim and hidden_dim differ; they must be equal")
    if model.get("EOS", values["vocab_size"] - 1) != values["vocab_size"] - 1:
        raise CheckpointError(f"{path}: EOS is {model['EOS']}, not the last of the vocabulary")
    try:
        S1Config(**values)
    except ValueError as error:
        raise CheckpointError(f"{path}: its config cannot be used: {error}") from None
    return values


def s1_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name (theirs, without ``model.``) -> shape of the published network of an ``S1Config``."""
    dim, inner = config["hidden_dim"], 4 * config["hidden_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "bert_proj.weight": (dim, BERT_DIM),
        "bert_proj.bias": (dim,),
        "ar_text_embedding.word_embeddings.weight": (config["phoneme_vocab_size"], dim),
        "ar_text_position.alpha": (1,),
        "ar_audio_embedding.word_embeddings.weight": (config["vocab_size"], dim),
        "ar_audio_position.alpha": (1,),
        "ar_predict_layer.weight": (config["vocab_size"], dim),
    }
    layer = {
        "self_attn.in_proj_weight": (3 * dim, dim),
        "self_attn.in_proj_bias": (3 * dim,),
        "self_attn.out_proj.weight": (dim, dim),
        "self_attn.out_proj.bias": (dim,),
        "linear1.weight": (inner, dim),
        "linear1.bias": (inner,),
        "linear2.weight": (dim, inner),
        "linear2.bias": (dim,),
    }
    layer |= {f"norm{n}.{end}": (dim,) for n in (1, 2) for end in ("weight", "bias")}
    for number in range(config["n_layer"]):
        shapes |= {f"h.layers.{number}.{name}": shape for name, shape in layer.items()}
    return shapes


def published_s1_config(
    config: Mapping[str, Any], *, stored: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The nested config a published s1 file carries; ``stored`` is the one it was imported with."""
    full = {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in (stored or {}).items()
    }
    full.setdefault("data", {"max_sec": 54, "pad_val": 1024, "num_workers": 4})
    full.setdefault("inference", {"top_k": 15})
    model = dict(full.get("model") or {"linear_units": 2048, "random_bert": 0})
    model |= {theirs: config[ours] for theirs, ours in S1_CONFIG.items() if ours in config}
    model |= {"embedding_dim": config["hidden_dim"], "EOS": config["vocab_size"] - 1}
    return full | {"model": model}
