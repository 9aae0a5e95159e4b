"""Made dialogues as columns, and a small network, for the tests of decoding."""

from __future__ import annotations

import numpy as np
import torch

from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT


def small_model(*, dim: int = 32, seed: int = 0) -> SemanticGPT:
    """Two layers with roles and turn distances that matter."""
    torch.manual_seed(seed)
    config = S1Config(dim, 4, 2, 1025, 50, use_roles=True, max_turn_distance=3)
    network = SemanticGPT(config).eval()
    torch.nn.init.normal_(network.embedding.role.weight)
    torch.nn.init.normal_(network.turn_bias)
    return network


def made_turn(index: int, *, phonemes: int = 4, codes: int = 5) -> EncodedTurn:
    """A turn of the speakers a and b in alternation."""
    rng = np.random.default_rng(index)
    bert = rng.standard_normal((phonemes, 1024)).astype(np.float32)
    ids, spoken = rng.integers(0, 40, phonemes), rng.integers(0, 1024, codes)
    return EncodedTurn("ab"[index % 2], ids, spoken, bert, index)


def prompt(*, phonemes: int = 5, history: int = 1) -> Columns:
    """``history`` turns and the text of a response."""
    turns = [made_turn(i, phonemes=3 + i) for i in range(history)]
    response = made_turn(history, phonemes=phonemes)
    return build_sequence(turns, response, LayoutConfig(), include_response_codes=False).columns()
