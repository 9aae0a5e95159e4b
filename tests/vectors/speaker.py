"""The speaker network and its filter bank."""

from __future__ import annotations

import torch
from torch import Tensor

from GPT_SoVITS.checkpoints.import_ import convert
from GPT_SoVITS.checkpoints.loading import network_of
from GPT_SoVITS.features.speaker import filter_bank
from tests.vectors.folder import Vectors


@torch.inference_mode()
def network(v: Vectors) -> dict[str, Tensor]:
    """Vector of given frames, frames of a wave, vector of the wave."""
    state = v.weights(v.folder.manifest("eres2netv2"))
    model = network_of(convert(state, path=v.path), path=v.path)
    bank = filter_bank(v["wav16k"].reshape(1, -1))
    return {
        "forward3": model(v["fbank"]),
        "kaldi_fbank": bank[0],
        "forward3_wav": model(bank),
    }
