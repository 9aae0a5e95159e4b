"""What a recogniser is, and how a config names one.

    engine          language  needs
    pocketsphinx    en        pip install pocketsphinx (its English model is in the wheel)
    phones          en, zh    a file written by `python -m GPT_SoVITS.evaluation.asr.train_phones`
    faster-whisper  any       pip install faster-whisper, and a local model folder
    funasr          zh, any   pip install funasr, and a local model folder

Nothing is fetched: a model is a path on this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from GPT_SoVITS.dialogue import Language

ENGINES: dict[str, tuple[str, str]] = {
    "pocketsphinx": ("GPT_SoVITS.evaluation.asr.pocket", "PocketsphinxRecognizer"),
    "phones": ("GPT_SoVITS.evaluation.asr.phones", "PhoneRecognizer"),
    "faster-whisper": ("GPT_SoVITS.evaluation.asr.whisper", "FasterWhisperRecognizer"),
    "funasr": ("GPT_SoVITS.evaluation.asr.funasr", "FunAsrRecognizer"),
}
RATE = 16000


class AsrError(RuntimeError):
    """A recogniser that cannot be opened, or speech it could not take; says why and what to do."""


@dataclass(frozen=True)
class AsrConfig:
    """Which recogniser, and from where."""

    engine: Literal["pocketsphinx", "phones", "faster-whisper", "funasr"] = "pocketsphinx"
    """Which recogniser; faster-whisper and funasr need their package and a local model."""
    model: str = ""
    """Local folder or file of the model; pocketsphinx brings its own."""
    language: Language = "auto"
    """auto: the item's own language."""
    device: str = "cpu"
    """cpu or cuda."""
    grammar: Literal["open", "domain"] = "open"
    """pocketsphinx: `domain` builds the language model from the texts given as `domain_texts`, the
    manifest's texts by default: easier, so compare with ground truth under the same setting."""


@dataclass(frozen=True)
class Transcript:
    """What was heard: words (`text`) or phones (`phones`, then `text` shows them)."""

    text: str
    phones: tuple[str, ...] | None = None


class Recognizer(Protocol):
    """Speech to text. `identity` names engine and model, e.g. for the report and its hash."""

    identity: str
    unit: str
    """words, or phones: what errors are counted in"""

    def languages(self) -> tuple[str, ...]:
        """Languages it hears; empty means any."""
        ...

    def transcribe(self, samples: np.ndarray, *, sample_rate: int, language: str) -> Transcript:
        """(T,) float -> what was said; raises AsrError for speech it cannot take."""
        ...


def open_recognizer(config: AsrConfig, *, domain_texts: tuple[str, ...] = ()) -> Recognizer:
    """The recogniser a config names.

    Raises AsrError where the engine's package or its model is missing.
    """
    if config.engine not in ENGINES:
        raise AsrError(f"asr.engine is {config.engine!r}; it must be one of {', '.join(ENGINES)}")
    module, name = ENGINES[config.engine]
    build: Callable[..., Recognizer] = getattr(import_module(module), name)
    return build(config, domain_texts=domain_texts)


def local_model(config: AsrConfig, what: str) -> Path:
    """The model path of a config; AsrError where it is missing, since nothing is downloaded."""
    path = Path(config.model)
    if not config.model or not path.exists():
        raise AsrError(
            f"asr.model is {config.model!r}: {config.engine} needs {what} on this machine; "
            "download it yourself and give its path"
        )
    return path


def check_samples(samples: np.ndarray) -> np.ndarray:
    """Samples (T,) at any rate: one finite channel that is not empty. Raises `AsrError`."""
    if samples.ndim != 1 or not len(samples):
        raise AsrError(f"nothing to recognise: samples have shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise AsrError("nothing to recognise: samples are not finite")
    return samples
