"""Where a learned condition starts: at the medoid of what the speaker's own turns would give."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from GPT_SoVITS.adapters.condition import LearnedConditions, medoid
from GPT_SoVITS.audio.constants import HOP_LENGTH, N_FFT
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training.s2_data import S2Dataset

log = logging.getLogger(__name__)
MOST_TURNS = 64
"""Turns of a speaker that are looked at, spread evenly over the corpus."""


def attach_conditions(
    model: ConversationalVITS, dataset: S2Dataset, adapters: Mapping[str, str]
) -> None:
    """Give `model` a trainable condition for every {adapter: speaker}; "" is everyone."""
    starts = {}
    for name, speaker in adapters.items():
        places = dataset.speakers[speaker] if speaker else list(range(len(dataset)))
        starts[name] = medoid_condition(model, dataset, places)
        log.info("lora: the condition of %s starts at the medoid of %d turns", name, len(places))
    model.learned_condition = LearnedConditions(starts)


@torch.no_grad()
def medoid_condition(model: ConversationalVITS, dataset: S2Dataset, places: list[int]) -> Tensor:
    """(G,): of the conditions of these turns, the one nearest to all others.

    Raises `ValueError`.
    """
    training = model.training
    model.eval()
    some = places[:: max(1, len(places) // MOST_TURNS)][:MOST_TURNS]
    found = [
        one for one in (_condition(model, dataset, place) for place in some) if one is not None
    ]
    model.train(training)
    if not found:
        raise ValueError(f"lora.condition: all {len(some)} turns are shorter than {N_FFT} samples")
    vectors = torch.stack(found)
    return vectors[medoid(vectors)]


def _condition(model: ConversationalVITS, dataset: S2Dataset, place: int) -> Tensor | None:
    """(G,) of one turn as a reference; None where it is too short to be one."""
    wave = dataset.wave(dataset.record(place))[: dataset.config.max_reference_frames * HOP_LENGTH]
    if len(wave) < N_FFT:
        return None
    spectrogram = linear_spectrogram(torch.from_numpy(wave)[None])
    vector = None
    if dataset.voice is not None:
        vector = torch.from_numpy(dataset.voice(wave))[None]
    mask = spectrogram.new_ones(1, 1, spectrogram.shape[2])
    return model.condition(spectrogram, mask, vector)[0, :, 0]
