"""What a fine-tuning sounds like: fixed sentences at its start and at every validation.

    runs/NAME/s1/samples/step=00000000_0.wav            before
                         step=00000075_0.wav  …         sentence 0 after 75 steps
    runs/NAME/s1_lora/samples/anna/step=…               one folder per adapter

Spoken by the very way inference takes (a talker, adapters added to the base's weights), so that a
file that sounds as before means that nothing that speaks was trained.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from GPT_SoVITS.adapters.file import Adapter
from GPT_SoVITS.adapters.merge import adapted
from GPT_SoVITS.audio.io import save_audio
from GPT_SoVITS.dialogue import Dialogue
from GPT_SoVITS.inference.talker import Talker
from GPT_SoVITS.training.progress import steps_done

log = logging.getLogger(__name__)
SENTENCES = ("Where shall we meet tomorrow?", "我们明天在哪里见面？")
MAX_VOICES = 4
Adapters = Callable[[nn.Module], Mapping[str, Adapter]]


@dataclass(frozen=True)
class Listening:
    """What to say, and which talker's other stage completes the one in training."""

    talker: Path
    """Folder of the talker that training started from."""
    kind: str
    """s1 or s2: what is trained"""
    adapters: Adapters | None = None
    """The adapters as they are; None where the whole network is trained."""
    sentences: tuple[str, ...] = SENTENCES


class ListeningSamples(pl.Callback):
    """Speaks `Listening.sentences` into `folder`; the training's own randomness is not touched."""

    def __init__(self, folder: Path, listening: Listening) -> None:
        self.folder, self.listening = folder, listening
        self.base: Talker | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The other stage, and the sound to compare with."""
        if trainer.is_global_zero:
            self.base = Talker.load(self.listening.talker, device="cpu")
            if steps_done(trainer) == 0:
                self.speak(trainer, module, 0)

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """The sound now."""
        if self.base is not None:
            self.speak(trainer, module, steps_done(trainer))

    def speak(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Every sentence by every voice that is trained (the first few of many)."""
        assert self.base is not None
        voices = talkers(self.base, module.get_submodule("model"), self.listening)
        references = sorted(entry.clip for entry in self.base.speakers.values())
        if not references:
            return
        dialogue = Dialogue(turns=(), reference_audio=str(references[0]))
        for name, talker in voices.items():
            for number, sentence in enumerate(self.listening.sentences):
                with torch.random.fork_rng(devices=[]), torch.inference_mode():
                    samples = talker.speak(dialogue, sentence, seed=0).samples
                path = self.folder / name / f"step={step:08d}_{number}.wav"
                save_audio(path, samples)
                board: Any = getattr(trainer.logger, "experiment", None)
                if board is not None:
                    tag = "/".join(filter(None, ("listen", name, str(number))))
                    board.add_audio(tag, torch.from_numpy(samples), step, sample_rate=32000)


def talkers(base: Talker, model: nn.Module, listening: Listening) -> dict[str, Talker]:
    """{adapter, or "" for the whole network: the talker that speaks with it}."""
    kind = listening.kind
    if listening.adapters is None:
        parts: dict[str, Any] = {"": copy.deepcopy(model).cpu()}
    else:
        found = list(listening.adapters(model).items())[:MAX_VOICES]
        parts = {name: adapted(getattr(base, kind), adapter) for name, adapter in found}
    return {name: base.with_networks(**{kind: part}) for name, part in parts.items()}


def listening_to(init_from: str, kind: str, adapters: Adapters | None = None) -> Listening | None:
    """For a training that starts from a whole talker folder; None otherwise."""
    folder = Path(init_from)
    whole = bool(init_from) and all((folder / f"{k}.safetensors").is_file() for k in ("s1", "s2"))
    return Listening(folder, kind, adapters) if whole else None
