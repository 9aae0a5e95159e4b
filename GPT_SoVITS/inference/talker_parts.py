"""The parts of a talker, each as its folder describes it: frontend, layout, options, encoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.checkpoints import load_speaker
from GPT_SoVITS.checkpoints.talker_folder import SETTINGS_FILE, SPEAKER_FILE, TalkerFolder
from GPT_SoVITS.checkpoints.tokenizer_file import load_turn_encoder
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.features.bert import BertFeatures
from GPT_SoVITS.features.speaker import SpeakerFeatures
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.text import Frontend, PhonemeSequence, TextConfig

DEVICES = ("auto", "cpu", "cuda")
BertEncoder = Callable[[PhonemeSequence], np.ndarray | None]


class TalkerError(ValueError):
    """The talker cannot do what was asked; the message says why."""


def choose_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one. Raises `TalkerError`."""
    name = device.split(":")[0]
    if name not in DEVICES:
        raise TalkerError(f"device is {device!r}; it must be one of {', '.join(DEVICES)}")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise TalkerError("device is 'cuda', but no CUDA device is available; use 'auto' or 'cpu'")
    return torch.device(device)


def build_frontend(
    settings: Mapping[str, Any],
    *,
    lexicon: str | Path | None = None,
    folder: Path | None = None,
) -> Frontend:
    """The text frontend the settings of a talker ask for; a given lexicon wins over its own."""
    own = settings.get("lexicon")
    if lexicon is None and own and folder is not None:
        lexicon = folder / str(own)
    return Frontend(
        TextConfig(
            symbols=str(settings.get("symbols", "v2")),
            tags=tuple(settings.get("tags", ())),
            english_dictionary=str(settings.get("english_dictionary", "cmudict")),
            lexicon=None if lexicon is None else str(lexicon),
        )
    )


def check_rows(frontend: Frontend, s1: SemanticGPT, s2: ConversationalVITS) -> None:
    """Every symbol the frontend may say has a row in both networks. Raises `TalkerError`."""
    for name, rows in (("s1", s1.config.phoneme_vocab_size), ("s2", s2.config.n_symbols)):
        if len(frontend.symbols) > rows:
            raise TalkerError(
                f"the frontend has {len(frontend.symbols)} symbols, the {name} model {rows} rows"
            )


def layout_of(found: TalkerFolder) -> LayoutConfig:
    """The sequence layout stage 1 was trained with, from its header. Raises `TalkerError`."""
    known = {field.name for field in dataclasses.fields(LayoutConfig)}
    unknown = sorted(set(found.s1.layout) - known)
    if unknown:
        raise TalkerError(f"{found.s1_path}: layout keys {unknown} are unknown to this program")
    return LayoutConfig(**{**found.s1.layout, "loss_on": "response"})


def options_of(found: TalkerFolder, precision: str | None = None) -> GenerationOptions:
    """How the folder speaks where nothing else is asked for; `precision` replaces its own.

    Raises `TalkerError`.
    """
    given = {} if precision is None else {"precision": precision}
    try:
        return GenerationOptions(**(found.settings.get("options", {}) | given))
    except (TypeError, ValueError) as error:
        raise TalkerError(f"{found.folder / SETTINGS_FILE}: options: {error}") from None


def turn_encoder_of(found: TalkerFolder) -> Any | None:
    """What turns speech into tokens; None for a folder that cannot hear."""
    path = found.tokenizer_path
    return None if path is None else load_turn_encoder(path, settings=found.settings)


def bert_of(found: TalkerFolder, device: torch.device) -> BertEncoder | None:
    """BERT features where the settings name a folder of the model; zeros are given without."""
    folder = found.settings.get("bert")
    return None if not folder else BertFeatures(found.folder / str(folder), device=device)


def speaker_features_of(found: TalkerFolder, device: torch.device) -> SpeakerFeatures | None:
    """The speaker network the Pro versions need; None where the folder has none."""
    path = found.folder / SPEAKER_FILE
    return SpeakerFeatures(load_speaker(path)[0], device=device) if path.is_file() else None
