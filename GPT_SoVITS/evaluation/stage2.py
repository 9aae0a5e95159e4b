"""Stage 2 alone: given tokens to sound, with any part of the conversation switched off."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from GPT_SoVITS.inference import Talker
from GPT_SoVITS.s2_vits.history import PastTurn, collate_history, with_history_spectrograms

ARMS = ("off", "style", "text", "both")


def speak_tokens(
    talker: Talker,
    codes: Sequence[int],
    phoneme_ids: Sequence[int],
    reference: np.ndarray,
    *,
    past: Sequence[PastTurn] = (),
    arm: str = "both",
    seed: int = 0,
) -> np.ndarray:
    """Tokens (N,) and phoneme ids (X,) in the voice of a reference (T,) -> samples (1280 N,).

    ``arm`` is what stage 2 hears of the past: nothing, its style, its text, or both; a part the
    model was not built with stays without effect. The noise depends on the seed alone, so that arms
    differ in nothing else. Raises `ValueError`.
    """
    if arm not in ARMS:
        raise ValueError(f"arm is {arm!r}; it must be one of {ARMS}")
    if not len(codes):
        raise ValueError("no tokens to speak")
    s2, config, history = talker.s2, talker.s2.config, None
    if past and arm != "off" and config.hears_history:
        history = collate_history([list(past)[-config.history_turns :]])
    if history is not None:
        history = with_history_spectrograms(history.to(talker.device))
        if arm == "text":
            history = dataclasses.replace(history, frames=torch.zeros_like(history.frames))
        if arm == "style":  # a twin with the same weights that does not read the history's text
            s2 = copy.copy(talker.s2)
            s2.config = dataclasses.replace(config, text="off")
    voice = talker.voice([reference])
    wave = s2.decode(
        torch.tensor([list(codes)], device=talker.device),
        torch.tensor([list(phoneme_ids)], device=talker.device),
        voice.spectrograms,
        noise_scale=talker.options.noise_scale,
        speaker_vectors=voice.vectors,
        history=history,
        generator=talker.generator(seed),
    )
    values: np.ndarray = np.clip(wave[0, 0].float().cpu().numpy(), -1.0, 1.0)
    return values
