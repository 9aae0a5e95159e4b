"""Stage 2's parts alone, tiny, with stored weights (golden/nn_more, s2_components)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from GPT_SoVITS.checkpoints.keymaps_s2 import NORMED
from GPT_SoVITS.nn.attention import AttentionEncoder
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.flow import Flow
from GPT_SoVITS.s2_vits.generator import Generator
from GPT_SoVITS.s2_vits.posterior_encoder import PosteriorEncoder
from GPT_SoVITS.s2_vits.prior_encoder import TokenTextFusion
from GPT_SoVITS.s2_vits.quantizer import Quantizer
from GPT_SoVITS.s2_vits.reference_encoder import ReferenceEncoder
from tests.vectors.folder import Vectors

CODEBOOK = "vq.layers.0._codebook."
FRAMES_OF_DEC = 640
"""Samples per frame of the generator."""


def components(v: Vectors) -> dict[str, Tensor]:
    """Every part's output, and the codebook after one training step."""
    parts = v.config["components"]
    with torch.inference_mode():
        return _networks(v, parts) | _quantizer(v, parts["quantizer"])


def _loaded(v: Vectors, module: nn.Module, name: str) -> Any:
    """With the recipe's weights of `w/<name>.…` under our names (the stored table is rounded)."""
    state = {}
    drawn = v.weights({key: v.tensors[f"w/{key}"].shape for key in v.names("w/")})
    for key in v.names(f"w/{name}."):
        ours = key.removeprefix(CODEBOOK)
        for theirs, parametrized in NORMED:
            ours = ours.replace(f".{theirs}", f".{parametrized}")
        state[ours] = drawn[f"{name}.{key}"]
    module.load_state_dict(state)
    return module.eval()


def _config(**values: Any) -> S2Config:
    return S2Config(**({"inter_channels": 32, "hidden_channels": 32, "gin_channels": 64} | values))


def _networks(v: Vectors, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    x, mask, g = v["x"], v["mask"], v["g"]
    e = parts["encoder"]
    sizes = (e["hidden"], e["filter"], e["heads"], e["n_layers"], e["kernel"])
    encoder = _loaded(v, AttentionEncoder(*sizes, p_dropout=0.0), "encoder")
    f = parts["flow"]
    flow_config = _config(
        inter_channels=f["channels"],
        hidden_channels=f["hidden"],
        flow_layers=f["n_layers"],
        gin_channels=f["gin"],
    )
    flow = _loaded(v, Flow(flow_config), "flow")
    q = parts["enc_q"]
    posterior = PosteriorEncoder(
        _config(
            inter_channels=q["out"],
            hidden_channels=q["hidden"],
            posterior_layers=q["n_layers"],
            gin_channels=q["gin"],
        )
    )
    posterior.pre = nn.Conv1d(q["in_channels"], q["hidden"], 1)
    z, mean, log_spread = _loaded(v, posterior, "enc_q")(v["spec65"], mask, g, v["eps"])
    d = parts["dec"]
    generator_config = _config(
        inter_channels=d["initial"],
        upsample_initial_channel=d["upsample_initial"],
        upsample_rates=tuple(d["upsample_rates"]),
        upsample_kernel_sizes=tuple(d["kernels"]),
        gin_channels=d["gin"],
    )
    generator = _loaded(v, Generator(generator_config), "dec")
    r = parts["ref_enc"]
    style = _config(reference_bins=r["n_in"], reference_hidden=r["hidden"], gin_channels=r["out"])
    m = parts["mrte"]
    fusion_config = _config(
        hidden_channels=m["content"], mrte_channels=m["hidden"], mrte_heads=m["n_heads"]
    )
    fusion = _loaded(v, TokenTextFusion(fusion_config), "mrte")
    frames = v.expected["dec"].shape[-1] // FRAMES_OF_DEC
    latent = v["x_inter"]
    return {
        "encoder": encoder(x, mask),
        "flow_fwd": flow(latent, mask, g),
        "flow_rev": flow(latent, mask, g, reverse=True),
        "enc_q_z": z,
        "enc_q_m": mean,
        "enc_q_logs": log_spread,
        "dec": generator(latent[..., :frames], g),
        "ref_enc": _loaded(v, ReferenceEncoder(style), "ref_enc")(v["spec65"], mask),
        "mrte": fusion(x, mask, v["mrte_text"], v["mrte_text_mask"], v["mrte_ge"]),
    }


def _quantizer(v: Vectors, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    quantizer = _loaded(v, Quantizer(sizes["bins"], sizes["dimension"]), "quantizer")
    found = quantizer(v["x"])
    out = {
        "quantizer_codes": found.codes,
        "quantizer_q": found.quantized,
        "quantizer_decode": quantizer.decode(found.codes),
    }
    quantizer.cluster_size.copy_(v["ema_cluster_size"])
    quantizer.embed_avg.copy_(v["ema_embed_avg"])
    after = quantizer(v["x"], update=True)
    return out | {
        "ema_q": after.quantized,
        "ema_commit": after.commitment,
        "ema_cluster_size": quantizer.cluster_size,
        "ema_embed_avg": quantizer.embed_avg,
        "ema_embed": quantizer.embed,
    }
