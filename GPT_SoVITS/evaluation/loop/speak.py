"""From items to sound files: the recording, stage 2 on its tokens, or a model's own reply."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import load_audio, save_audio
from GPT_SoVITS.dialogue.layout import roles
from GPT_SoVITS.evaluation.loop.config import RECORDED, RESYNTHESIS, EvaluateConfig
from GPT_SoVITS.evaluation.loop.items import EvalItem
from GPT_SoVITS.evaluation.metrics.speed import first_chunk_latency
from GPT_SoVITS.evaluation.stage2 import speak_tokens
from GPT_SoVITS.inference import Talker
from GPT_SoVITS.inference.voice import HeardAudio, choose_references
from GPT_SoVITS.s2_vits.history import PastTurn

Spoken = tuple[np.ndarray, dict[str, Any]]
"""samples (T,) at 32 kHz, and facts for the ledger"""


class Voices:
    """Loads each model once, when it is first needed."""

    def __init__(self, config: EvaluateConfig) -> None:
        self.config = config
        self._talkers: dict[str, Talker] = {}
        self._warm: set[str] = set()

    def talker(self, name: str) -> Talker:
        """The talker of a model name."""
        if name not in self._talkers:
            talker = Talker.load(self.config.models[name], device=self.config.device)
            if self.config.window >= 0:
                talker.layout = replace(talker.layout, history_turns=self.config.window)
            self._talkers[name] = talker
        return self._talkers[name]

    def speaker(self, system: str) -> Callable[[EvalItem], Spoken]:
        """What speaks for a system of the run."""
        if system == RECORDED:
            return recorded
        if system == RESYNTHESIS:
            return lambda item: resynthesise(self.talker(next(iter(self.config.models))), item)
        return lambda item: self._reply(system, item)

    def _reply(self, name: str, item: EvalItem) -> Spoken:
        """A model's first reply is spoken twice and timed the second time."""
        talker = self.talker(name)
        if name not in self._warm:
            reply(talker, item, seed=self.config.seed)
            self._warm.add(name)
        return reply(talker, item, seed=self.config.seed)

    def latency(self, name: str, item: EvalItem) -> float:
        """Seconds until a model's first chunk with sound."""
        talker = self.talker(name)
        return first_chunk_latency(lambda: talker.stream(item.dialogue, seed=self.config.seed))


def recorded(item: EvalItem) -> Spoken:
    """The true response. Raises `ValueError`."""
    if item.recording is None:
        raise ValueError(f"{item.id}: the manifest names no recording")
    return load_audio(item.recording), {}


def reply(talker: Talker, item: EvalItem, *, seed: int) -> Spoken:
    """Both stages, from history and text."""
    started = time.perf_counter()
    speech = talker.speak(item.dialogue, seed=seed)
    wall = time.perf_counter() - started
    return speech.samples, {
        "wall_seconds": wall,
        "tokens": list(speech.codes),
        "ended": not speech.cut,
        "collapses": sum(len(report.collapses) for report in speech.reports),
    }


def resynthesise(talker: Talker, item: EvalItem) -> Spoken:
    """Stage 2 alone, on the recording's own tokens, in the voice a reply would have.

    Raises `ValueError`.
    """
    if not item.codes:
        raise ValueError(f"{item.id}: the corpus has no tokens of it")
    response = item.dialogue.response
    assert response is not None
    phonemes, _ = talker.encode_text(response.text, response.language)
    heard = [
        (place, turn, load_audio(turn.audio))
        for place, turn in enumerate(item.dialogue.turns)
        if turn.audio is not None
    ]
    reference = choose_references(
        response.speaker,
        given=item.dialogue.reference_audio,
        heard=[HeardAudio(turn.speaker, samples) for _, turn, samples in heard],
        known=talker.speakers,
    )[0]
    role = roles([turn.speaker for turn in item.dialogue.turns], response.speaker)
    past = [
        PastTurn(
            np.asarray(talker.encode_text(turn.text, turn.language)[0].ids),
            samples,
            role[place],
            len(item.dialogue.turns) - place,
        )
        for place, turn, samples in heard
    ]
    return speak_tokens(talker, item.codes, phonemes.ids, reference, past=past), {}


def write_sound(folder: Path, system: str, number: int, samples: np.ndarray) -> Path:
    """(T,) at 32 kHz -> `sounds/<system>/<number>.wav`, whole or not at all."""
    path = folder / "sounds" / system / f"{number:05d}.wav"
    return save_audio(path, samples, sample_rate=SAMPLE_RATE)
