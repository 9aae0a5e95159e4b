"""A talker of random weights, for speed: its replies last exactly as long as they may."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.session import DialogueSession
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.text import Frontend

SENTENCE = "I looked into it this morning, and the parcel should be with you by Friday. "
CHARACTERS_PER_SECOND = 15


def random_talker(*, full_size: bool, device: str = "cpu") -> Talker:
    """v2's sizes, or small ones; `growing` histories."""
    torch.manual_seed(0)
    s1 = S1Config() if full_size else S1Config(hidden_dim=64, n_head=4, n_layer=2)
    s2 = S2Config() if full_size else S2Config(upsample_initial_channel=128)
    return Talker(
        s1=SemanticGPT(s1).eval(),
        s2=ConversationalVITS(s2).eval(),
        frontend=Frontend(),
        layout=LayoutConfig(history_mode="growing", history_tokens=10_000),
        device=device,
    )


def reply_options(seconds: float, precision: str) -> GenerationOptions:
    """A reply of exactly so many seconds, in one piece."""
    return dataclasses.replace(
        GenerationOptions(),
        max_seconds=seconds,
        eos_guard=round(seconds * TOKEN_RATE),
        collapse_retries=0,
        longest_part=0,
        precision=precision,
    )


def text_of(seconds: float) -> str:
    """As much as is usually said in that time."""
    length = round(seconds * CHARACTERS_PER_SECOND)
    return (SENTENCE * (length // len(SENTENCE) + 1))[:length].strip() + "."


def voice() -> np.ndarray:
    """Five seconds of noise as a reference."""
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(5 * SAMPLE_RATE)).astype(np.float32)


def session_of(
    talker: Talker, turns: int, turn_seconds: float, options: GenerationOptions
) -> DialogueSession:
    """A session with finished turns of random tokens; encoded already."""
    from GPT_SoVITS.dialogue.layout import EncodedTurn
    from GPT_SoVITS.inference.turns import FinishedTurn

    if not turns:
        return talker.session(options=options)
    rng = np.random.default_rng(1)
    ids = np.asarray(talker.frontend(text_of(turn_seconds), "en").ids)
    finished = [
        FinishedTurn(
            None,
            EncodedTurn(
                ("user", "agent")[i % 2],
                ids,
                rng.integers(0, 1024, round(turn_seconds * TOKEN_RATE)),
            ),
            None,
        )
        for i in range(turns)
    ]
    return DialogueSession.rebuild(talker, finished, options=options)
