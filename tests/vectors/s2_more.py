"""Stage 2 in the format of golden/nn_more: whole networks, small parts, losses, files."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from GPT_SoVITS.audio.spectrogram import linear_spectrogram, mel_from_linear, mel_spectrogram
from GPT_SoVITS.checkpoints.format import expected_shapes
from GPT_SoVITS.checkpoints.keymaps_s2 import DISCRIMINATOR_NAMES, S2_NAMES, SAME_NAMES
from GPT_SoVITS.checkpoints.loading import load_s2
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.s2_vits.batch import S2Batch
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.discriminators import Judgement
from GPT_SoVITS.s2_vits.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    kl_loss,
)
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.prior_encoder import Window
from tests.vectors.folder import Vectors
from tests.vectors.s2 import Outputs, network, ones, prior

STREAM_HELD_BACK = 4
"""Codes that `stream1` leaves to the second chunk."""


def built(v: Vectors) -> ConversationalVITS:
    """The network of `s2_<version>_<size>`."""
    model = v.config["model"]
    stored: dict[str, Any] = {
        k: tuple(x) if isinstance(x, list) else x for k, x in model.items() if k in SAME_NAMES
    }
    config = replace(S2Config.published(v.config["version"]), **stored)
    shapes = expected_shapes("s2", vars(config), path=v.path)
    return network(v, v.weights(renamed(shapes, reverse(S2_NAMES), path=v.path)))


def whole(v: Vectors) -> Outputs:
    """Everything `s2_<version>_<size>` asks for."""
    net = built(v)
    with torch.inference_mode():
        return _parts(v, net) | _decodes(v, net) | _streams(v, net) | _training(v, net)


def _vectors(v: Vectors, *names: str) -> list[Tensor] | None:
    found = [x for name in names if (x := v.get(name)) is not None]
    return found or None


def _parts(v: Vectors, net: ConversationalVITS) -> Outputs:
    refer = v["refer"]
    vector = v.get("sv_emb")
    ge = net.condition(refer, ones(refer), vector)
    spec, mask = v["post_spec"], v["flow_mask"]
    noise = torch.zeros(1, net.config.inter_channels, spec.shape[2])
    _, mean, log_spread = net.posterior_encoder(spec, ones(spec), ge, noise)
    projected = net.semantic_projection(v["ssl"])
    return {
        "extract_latent": net.quantizer.encode(projected),
        "ssl_proj": projected,
        "ref_enc": net.reference_encoder(refer, ones(refer)),
        "ge": ge,
        "ge512": net.narrow(ge),
        "post_m": mean,
        "post_logs": log_spread,
        "flow_fwd": net.flow(v["flow_x"], mask, ge),
        "flow_rev": net.flow(v["flow_x"], mask, ge, reverse=True),
        "dec": net.generator(v["dec_z"], ge),
    }


def _decodes(v: Vectors, net: ConversationalVITS) -> Outputs:
    codes, text, refer = v["codes"].reshape(1, -1), v["text"], v["refer"]
    one: dict[str, Any] = {"speaker_vectors": _vectors(v, "sv_emb")}
    two: dict[str, Any] = {"speaker_vectors": _vectors(v, "sv_emb", "sv_emb2")}
    ge = net.condition(refer, ones(refer), v.get("sv_emb"))
    out = {
        "decode_two_refs": net.decode(codes, text, [refer, v["refer2"]], noise_scale=0.0, **two),
        "decode_noise0.5": net.decode(codes, text, [refer], noise=v["prior_eps"], **one),
    }
    for name in v.expected:
        if match := re.fullmatch(r"decode(_speed([\d.]+))?", name):
            tail, speed = match[1] or "", float(match[2] or 1)
            _, out[f"prior_m{tail}"], out[f"prior_logs{tail}"], _ = prior(
                net, codes, text, ge, speed=speed
            )
            out[name] = net.decode(codes, text, [refer], noise_scale=0.0, speed=speed, **one)
    return out


def _streams(v: Vectors, net: ConversationalVITS) -> Outputs:
    codes, text, refer = v["codes"].reshape(1, -1), v["text"], v["refer"]
    options: dict[str, Any] = {"noise_scale": 0.0, "speaker_vectors": _vectors(v, "sv_emb")}
    first = net.decode_window(codes[:, :-STREAM_HELD_BACK], text, [refer], **options)
    out = {"stream1": first.wave}
    frames = net.config.frames_per_code
    for name in v.expected:
        if not (match := re.fullmatch(r"(stream\d)_rl(\d+)(?:_ov(\d+))?(?:_pad(\d+))?", name)):
            continue
        overlap, padding = int(match[3] or 0), int(match[4] or 0)
        window = Window(
            result=frames * int(match[2]),
            padding=frames * padding,
            overlap=first.latent[..., -overlap:] if overlap else None,
        )
        chunk = net.decode_window(codes, text, [refer], window=window, **options)
        out |= {name: chunk.wave, f"{match[1]}_latent": chunk.latent}
    return out


def _training(v: Vectors, net: ConversationalVITS) -> Outputs:
    batch = S2Batch(
        spectrogram=v["train_spec"],
        spectrogram_lengths=v["train_spec_len"],
        phoneme_ids=v["train_text"],
        phoneme_lengths=v["train_text_len"],
        features=v["train_ssl"],
        speaker_vectors=v.get("train_sv"),
    )
    starts = v.expected["train_ids_slice"]
    o = net(batch, noise=v["train_post_eps"], starts=starts)
    return {
        "train_wav": o.wave,
        "train_commit": o.commitment,
        "train_ids_slice": o.starts,
        "train_mask": o.mask,
        "train_z": o.z,
        "train_z_p": o.z_p,
        "train_m_p": o.mean_p,
        "train_logs_p": o.log_p,
        "train_m_q": o.mean_q,
        "train_logs_q": o.log_q,
        "train_kl": kl_loss(o.z_p, o.log_q, o.mean_p, o.log_p, o.mask),
    }


def discriminators(v: Vectors) -> Outputs:
    """Outputs, sums over feature maps, losses one by one, the gradient of the fake wave."""
    config = {"version": v.config["version"]}
    shapes = expected_shapes("s2d", config, path=v.path)
    net = network(v, v.weights(renamed(shapes, reverse(DISCRIMINATOR_NAMES), path=v.path)))
    fake_wave = v["y_hat"].clone().requires_grad_()
    real, fake = net(v["y"]), net(fake_wave)
    adversarial, feature = generator_loss(fake), feature_loss(real, fake)
    (gradient,) = torch.autograd.grad(adversarial + feature, fake_wave)
    pairs = list(zip(real, fake))
    out = {
        "grad_y_hat": gradient,
        "loss_disc": discriminator_loss(real, fake),
        "loss_gen": adversarial,
        "loss_feature": feature,
        "loss_disc_real": torch.stack([(1 - r[0]).square().mean() for r, _ in pairs]),
        "loss_disc_gen": torch.stack([g[0].square().mean() for _, g in pairs]),
        "loss_gen_each": torch.stack([generator_loss([g]) for _, g in pairs]),
    }
    for i, (r, g) in enumerate(pairs):
        out |= {f"real_{i}": r[0], f"gen_{i}": g[0]}
        out |= {f"fmap_real_{k}_{i}": x for k, x in _sums(r).items()}
        out |= {f"fmap_gen_{k}_{i}": x for k, x in _sums(g).items()}
        sizes = [[*m.shape, *[0] * (4 - m.ndim)] for m in r[1]]
        out[f"fmap_shapes_{i}"] = torch.tensor(sizes)
    return out


def _sums(judgement: Judgement) -> dict[str, Tensor]:
    maps = [m.detach().double() for m in judgement[1]]
    plain = torch.stack([m.sum() for m in maps])
    return {"sum": plain, "abs": torch.stack([m.abs().sum() for m in maps])}


def losses(v: Vectors) -> Outputs:
    """Losses of given judgements and maps, spectrograms of a wave."""

    def judged(kind: str) -> list[Judgement]:
        heads = sorted(int(n) for n in v.names(f"in/d_{kind}_"))
        maps = [
            [v[f"f_{kind}_{name}"] for name in v.names(f"in/f_{kind}_") if name.startswith(f"{i}_")]
            for i in heads
        ]
        return [(v[f"d_{kind}_{i}"], m) for i, m in zip(heads, maps)]

    real, fake = judged("real"), judged("gen")
    wave = v["wav"].reshape(1, -1)
    linear = linear_spectrogram(wave)
    names = ("z_p", "logs_q", "m_p", "logs_p", "mask")
    return {
        "kl": kl_loss(*(v[f"kl_{name}"] for name in names)),
        "loss_disc": discriminator_loss(real, fake),
        "loss_gen": generator_loss(fake),
        "loss_feature": feature_loss(real, fake),
        "spectrogram": linear,
        "spec_to_mel": mel_from_linear(linear),
        "mel_spectrogram": mel_spectrogram(wave),
    }


def checkpoint(v: Vectors) -> Outputs:
    """A file written by upstream's own code, loaded as it is."""
    path = v.path.with_name(v.path.name.replace(".expected.safetensors", ".pth"))
    net, _ = load_s2(path)
    codes, text = v["codes"].reshape(1, -1), v["text"]
    options: dict[str, Any] = {"noise_scale": 0.0, "speaker_vectors": _vectors(v, "sv_emb")}
    return {
        "extract_latent": net.float().extract_codes(v["ssl"]),
        "decode": net.decode(codes, text, [v["refer"]], **options),
    }
