"""Sizes of a published s2 network as its tensors show them.

Upsampling rates, dilations, dropout and the fusion's heads leave no trace in shapes: they come from
the stored config, or are the published ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]
# field -> (tensor, dimension)
DIMENSIONS = {
    "n_symbols": ("enc_p.text_embedding.weight", 0),
    "hidden_channels": ("enc_p.ssl_proj.weight", 0),
    "filter_channels": ("enc_p.encoder_text.ffn_layers.0.conv_1.weight", 0),
    "kernel_size": ("enc_p.encoder_text.ffn_layers.0.conv_1.weight", 2),
    "mrte_channels": ("enc_p.mrte.c_pre.weight", 0),
    "inter_channels": ("dec.conv_pre.weight", 1),
    "upsample_initial_channel": ("dec.conv_pre.weight", 0),
    "gin_channels": ("dec.cond.weight", 1),
    "reference_bins": ("ref_enc.spectral.0.fc.weight", 1),
    "reference_hidden": ("ref_enc.spectral.0.fc.weight", 0),
    "ssl_dim": ("ssl_proj.weight", 1),
    "semantic_dim": ("ssl_proj.weight", 0),
    "frames_per_code": ("ssl_proj.weight", 2),
    "n_codes": ("quantizer.vq.layers.0._codebook.embed", 0),
}
# field -> prefix whose numbered children are counted
COUNTS = {
    "n_layers": "enc_p.encoder_text.attn_layers.",
    "posterior_layers": "enc_q.enc.in_layers.",
    "flow_layers": "flow.flows.0.enc.in_layers.",
}


def s2_sizes(shapes: Shapes, *, path: str | Path) -> dict[str, Any]:
    """``S2Config`` values that follow from names and shapes. Raises `CheckpointError`."""
    sizes: dict[str, Any] = {}
    for name, (tensor, axis) in DIMENSIONS.items():
        shape = shapes.get(tensor, ())
        if len(shape) <= axis:
            raise CheckpointError(f"{path}: missing {tensor}, or of a wrong shape {shape}")
        sizes[name] = int(shape[axis])
    counts = {name: _children(shapes, prefix) for name, prefix in COUNTS.items()}
    sizes |= {name: count for name, count in counts.items() if count}  # no enc_q in exports
    sizes["n_flows"] = (_children(shapes, "flow.flows.") + 1) // 2
    kernels = _kernels(shapes, "dec.ups.{}.weight_v")
    if kernels:
        sizes["upsample_kernel_sizes"] = kernels
    blocks = _kernels(shapes, "dec.resblocks.{}.convs1.0.weight_v")
    if kernels and blocks:
        sizes["resblock_kernel_sizes"] = blocks[: len(blocks) // len(kernels)]
    head = shapes.get("enc_p.encoder_text.attn_layers.0.emb_rel_k", ())
    if len(head) == 3 and head[2]:
        sizes["n_heads"] = sizes["hidden_channels"] // head[2]
    if "sv_emb.weight" in shapes and len(shapes["sv_emb.weight"]) == 2:
        sizes["speaker_vector_dim"] = int(shapes["sv_emb.weight"][1])
    return sizes


def _kernels(shapes: Shapes, name: str) -> tuple[int, ...]:
    """Last dimension of the numbered tensors ``name``, in order."""
    found: list[int] = []
    while len(shape := shapes.get(name.format(len(found)), ())) == 3:
        found.append(int(shape[2]))
    return tuple(found)


def _children(shapes: Shapes, prefix: str) -> int:
    """One more than the highest number right behind ``prefix``."""
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    return max((int(m[1]) + 1 for name in shapes if (m := pattern.match(name))), default=0)
