"""Stage 2 in the format of golden/nn: the synthesiser part by part, the discriminators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from GPT_SoVITS.audio.spectrogram import linear_spectrogram, mel_from_linear, mel_spectrogram
from GPT_SoVITS.checkpoints.import_ import convert
from GPT_SoVITS.checkpoints.loading import network_of
from GPT_SoVITS.s2_vits.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    kl_loss,
)
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from tests.vectors.folder import Vectors

Outputs = dict[str, Tensor]


def network(vectors: Vectors, state: dict[str, Tensor]) -> Any:
    """Through the importer, as a training file with these weights would come."""
    content: dict[str, Any] = {"model": state}
    if "model" in vectors.config:
        content["config"] = {"model": vectors.config["model"]}
    return network_of(convert(content, path=vectors.path), path=vectors.path)


def ones(x: Tensor) -> Tensor:
    """All frames of (B, C, T) valid -> (B, 1, T)."""
    return x.new_ones(x.shape[0], 1, x.shape[2])


def prior(net: ConversationalVITS, codes: Tensor, text: Tensor, condition: Tensor, **more) -> Any:
    """-> latent, mean, log spread, mask; all frames valid."""
    frames = net.frames_of(codes)
    text_mask = torch.ones(1, 1, text.shape[1])
    return net.prior_encoder(frames, ones(frames), text, text_mask, net.narrow(condition), **more)


@torch.inference_mode()
def synthesiser(v: Vectors) -> Outputs:
    """Codes, waves at every speed and with two references, every part, the KL."""
    net = network(v, v.weights())
    codes, text, refer = v["codes"].reshape(1, -1), v["text"], v["refer"]
    vectors = [x for x in (v.get("sv_emb"), v.get("sv_emb_2")) if x is not None]
    one = {"noise_scale": 0.0, "speaker_vectors": vectors[:1] or None}
    style = net.reference_encoder(refer, ones(refer))
    condition = net.condition(refer, ones(refer), vectors[0] if vectors else None)
    _, prior_mean, prior_log, _ = prior(net, codes, text, condition)
    spec, z = v["spec"], v["z"]
    _, mean, log_spread = net.posterior_encoder(spec, ones(spec), condition)
    out = {
        "codes": net.extract_codes(v["ssl"]),
        "wav": net.decode(codes, text, [refer], **one),
        "style": style,
        "condition": condition,
        "prior_mean": prior_mean,
        "prior_logstd": prior_log,
        "posterior_mean": mean,
        "posterior_logstd": log_spread,
        "flow_forward": net.flow(z, ones(z), condition),
        "flow_reverse": net.flow(z, ones(z), condition, reverse=True),
        "generator": net.generator(v["z_generator"], condition),
    }
    if "kl_loss" in v.expected:  # the prior, repeated until it is as long as z
        frames = z.shape[2]
        times = -(-frames // prior_mean.shape[2])
        repeated = [x.repeat(1, 1, times)[..., :frames] for x in (prior_mean, prior_log)]
        out["kl_loss"] = kl_loss(z, log_spread, repeated[0], repeated[1], ones(z))
    for speed in v.names("out/wav_speed_"):
        out[f"wav_speed_{speed}"] = net.decode(codes, text, [refer], speed=float(speed), **one)
    if (second := v.get("refer_2")) is not None:
        two = one | {"speaker_vectors": vectors or None}
        out["wav_two_references"] = net.decode(codes, text, [refer, second], **two)
    return out


@torch.inference_mode()
def discriminators(v: Vectors) -> Outputs:
    """Every output, the first real feature maps, the three losses."""
    net = network(v, v.weights())
    real, fake = net(v["real"]), net(v["fake"])
    out = {
        "discriminator_loss": discriminator_loss(real, fake),
        "generator_loss": generator_loss(fake),
        "feature_loss": feature_loss(real, fake),
    }
    if (means := v.expected.get("feature_map_means")) is not None:
        rows = [[m.mean() for m in maps[: means.shape[1]]] for _, maps in real]
        out["feature_map_means"] = torch.tensor(rows)
    for name, judged in (("real", real), ("fake", fake)):
        out |= {f"{name}_{i}": values for i, (values, _) in enumerate(judged)}
    return out


def spectrograms(v: Vectors) -> Outputs:
    """Linear, mel, and mel of the linear one."""
    wave = v["wav"].reshape(1, -1)
    linear = linear_spectrogram(wave)
    return {
        "linear": linear,
        "mel": mel_spectrogram(wave),
        "mel_from_linear": mel_from_linear(linear),
    }
