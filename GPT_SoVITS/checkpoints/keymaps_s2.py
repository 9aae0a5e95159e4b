"""Names of the published s2 and discriminator files <-> ours, and their config <-> ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from GPT_SoVITS.audio.constants import HOP_LENGTH
from GPT_SoVITS.checkpoints.detect import Detected
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.keymaps import S1_NAMES
from GPT_SoVITS.checkpoints.rename import Table
from GPT_SoVITS.checkpoints.sizes_s2 import Shapes, s2_sizes
from GPT_SoVITS.s2_vits.config import S2Config

# theirs -> ours; weight norm is g and v there, a parametrization here
PARTS = (
    ("enc_p", "prior_encoder"),
    ("enc_q", "posterior_encoder"),
    ("dec", "generator"),
    ("flow", "flow"),
    ("ref_enc", "reference_encoder"),
    ("ssl_proj", "semantic_projection"),
    ("quantizer.vq.layers.0._codebook", "quantizer"),
    ("sv_emb", "speaker_embedding"),
    ("prelu", "speaker_activation"),
    ("ge_to512", "condition_projection"),
)
NORMED = (
    ("weight_g", "parametrizations.weight.original0"),
    ("weight_v", "parametrizations.weight.original1"),
)


def _table(parts: tuple[tuple[str, str], ...]) -> Table:
    """Weight-norm endings first: they are the narrower patterns."""
    normed = [
        (f"{theirs}.{{rest}}.{end}", f"{ours}.{{rest}}.{ending}")
        for theirs, ours in parts
        for end, ending in NORMED
    ]
    return (*normed, *((f"{theirs}.{{rest}}", f"{ours}.{{rest}}") for theirs, ours in parts))


S2_NAMES: Table = _table(PARTS)
DISCRIMINATOR_NAMES: Table = _table((("discriminators", "discriminators"),))
SPEAKER_NAMES: Table = (("{rest}", "{rest}"),)
TABLES: dict[str, Table] = {"s1": S1_NAMES, "s2": S2_NAMES, "s2d": DISCRIMINATOR_NAMES} | {
    "sv": SPEAKER_NAMES
}
POSTERIOR = "posterior_encoder."
# additions of ours -> the tensors that keep them without effect while they are zero
S2_OURS_ONLY = {
    "style_history.": "style_history.output.",
    "prior_encoder.history_text.": "prior_encoder.history_text.attention.conv_o.",
}
FRAMES_PER_CODE = {"25hz": 2, "50hz": 1}
SAME_NAMES = (
    "inter_channels",
    "hidden_channels",
    "filter_channels",
    "n_heads",
    "n_layers",
    "kernel_size",
    "p_dropout",
    "upsample_rates",
    "upsample_initial_channel",
    "upsample_kernel_sizes",
    "resblock_kernel_sizes",
    "gin_channels",
    "freeze_quantizer",
)


def s2_config(
    stored: Mapping[str, Any] | None, found: Detected, shapes: Shapes, *, path: str | Path
) -> dict[str, Any]:
    """``S2Config`` values: the version's, then what the tensors show, then what the file says.

    Raises `CheckpointError`.
    """
    model = (stored or {}).get("model")
    if model is not None and not isinstance(model, Mapping):
        raise CheckpointError(f"{path}: config model is a {type(model).__name__}")
    values = s2_sizes(shapes, path=path) | _stored_values(model or {}, stored or {}, path)
    try:
        config = replace(S2Config.published(found.version), **values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its config cannot be used: {error}") from None
    return {name: listed(value) for name, value in asdict(config).items()}


def _stored_values(
    model: Mapping[str, Any], stored: Mapping[str, Any], path: str | Path
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in SAME_NAMES:
        if name in model:
            value = model[name]
            values[name] = tuple(value) if isinstance(value, (list, tuple)) else value
    if "semantic_frame_rate" in model:
        rate = str(model["semantic_frame_rate"])
        if rate not in FRAMES_PER_CODE:
            raise CheckpointError(f"{path}: semantic_frame_rate is {rate}; known: 25hz, 50hz")
        values["frames_per_code"] = FRAMES_PER_CODE[rate]
    dilations = model.get("resblock_dilation_sizes")
    if dilations:
        if any(list(one) != list(dilations[0]) for one in dilations):
            raise CheckpointError(f"{path}: resblock_dilation_sizes differ: {dilations}")
        values["resblock_dilations"] = tuple(dilations[0])
    train = stored.get("train")
    if isinstance(train, Mapping) and isinstance(train.get("segment_size"), int):
        values["segment_frames"] = train["segment_size"] // HOP_LENGTH
    return values


def published_s2_config(
    config: Mapping[str, Any], *, stored: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The nested config a published s2 file carries; ``stored`` is the one it was imported with."""
    full = {k: dict(v) if isinstance(v, Mapping) else v for k, v in (stored or {}).items()}
    model = dict(
        full.get("model") or {"resblock": "1", "n_layers_q": 3, "use_spectral_norm": False}
    )
    model |= {name: config[name] for name in SAME_NAMES}
    dilations = [list(config["resblock_dilations"])]
    model["resblock_dilation_sizes"] = dilations * len(config["resblock_kernel_sizes"])
    rate = next(k for k, v in FRAMES_PER_CODE.items() if v == config["frames_per_code"])
    model |= {"version": config["version"], "semantic_frame_rate": rate}
    data = full.get("data") or {
        "max_wav_value": 32768.0,
        "sampling_rate": 32000,
        "filter_length": 2048,
        "hop_length": 640,
        "win_length": 2048,
        "n_mel_channels": 128,
        "mel_fmin": 0.0,
        "mel_fmax": None,
        "add_blank": True,
        "n_speakers": 300,
        "cleaned_text": True,
    }
    train = dict(full.get("train") or {})
    train["segment_size"] = config["segment_frames"] * HOP_LENGTH
    return full | {"model": model, "data": data, "train": train}


def listed(value: Any) -> Any:
    """A tuple as JSON would give it back; everything else as it is."""
    return list(value) if isinstance(value, tuple) else value
