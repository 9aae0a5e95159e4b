"""How large an adapter is beside the published networks, counted without their weights."""

from __future__ import annotations

import torch

from GPT_SoVITS.adapters.lora import inject, matrices
from GPT_SoVITS.adapters.options import S1LoraOptions, S2LoraOptions
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS


def published_share(*, rank: int) -> dict[str, float]:
    """{stage: numbers of an adapter / numbers of the network} at the published sizes."""
    shares = {}
    targets = ("prior_encoder", "generator")
    with torch.device("meta"):
        s1, s2 = SemanticGPT(S1Config()), ConversationalVITS(S2Config())
        for kind, model, options in (
            ("s1", s1, S1LoraOptions(rank=rank)),
            ("s2", s2, S2LoraOptions(rank=rank, targets=targets)),
        ):
            whole = sum(p.numel() for p in model.parameters())
            inject(model, options, kind=kind, names=["one"])
            shares[kind] = sum(p.numel() for _, p in matrices(model)) / whole
    return shares
