"""What an evaluation run reads, speaks with, hears with and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from GPT_SoVITS.evaluation.asr import AsrConfig

RECORDED, RESYNTHESIS = "recorded", "resynthesis"


@dataclass(frozen=True)
class ItemsConfig:
    """What is to be said: targets of a prepared corpus, or the rows of a manifest."""

    data: str = ""
    """Prepared corpus (data/<name>): its targets with their history and recordings."""
    split: Literal["train", "valid"] = "valid"
    """Which targets of `data`."""
    manifest: str = ""
    """CSV or JSONL instead: text, and optionally id, language, speaker, audio (the recording),
    reference_audio, dialogue (a dialogue.json with the history), group. Paths relative to it."""
    max_items: int = 60
    """Items spoken, at most."""
    languages: tuple[str, ...] = ()
    """Only these; empty takes all."""
    sentences: Literal["all", "held_out"] = "all"
    """held_out: only sentences that the phone recogniser never trains on (a fifth, by their text);
    take it wherever that recogniser judges."""
    unlike: str = ""
    """Prepared corpus whose training sentences are not asked: what the model has learnt from."""
    history_turns: int = 8
    """Turns before the response that are given, at most; 0 speaks without context."""
    punctuation: tuple[Literal["as_is", "none", "exclaim", "question", "commas"], ...] = ("as_is",)
    """Every item once per way to punctuate its text: does a model stumble over marks?"""
    seed: int = 0
    """Which items, where there are more than max_items."""

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.manifest):
            raise ValueError("source: give data or manifest, one of the two")
        if self.max_items < 1 or not self.punctuation:
            raise ValueError("source.max_items must be 1 or more and punctuation not empty")
        if self.history_turns < 0:
            raise ValueError("source.history_turns must be 0 or more")


@dataclass(frozen=True)
class EvaluateConfig:
    """One evaluation run."""

    output: str = "runs/evaluate/demo"
    """Folder of ledger, sounds and report; a run continues where it stopped."""
    source: ItemsConfig = field(default_factory=lambda: ItemsConfig(data="data/demo"))
    models: dict[str, str] = field(default_factory=lambda: {"demo": "runs/demo/talker"})
    """Name -> talker folder. The first is the baseline of the paired comparisons."""
    recorded: bool = True
    """Score the recordings too: what the recogniser makes of real speech."""
    resynthesis: bool = True
    """Score stage 2 of the first model on the recordings' own tokens."""
    recognizers: tuple[AsrConfig, ...] = (AsrConfig(language="en"),)
    speaker_network: str = ""
    """Published speaker network in a local file; empty: statistics of the timbre, no weights."""
    on_failure: Literal["fail", "count"] = "fail"
    """A missing or unreadable wav, a failed synthesis or recognition: end with an error after all
    rows are done, or only count it. Either way it stays in every denominator."""
    retry_failed: bool = False
    """Try rows again that failed in an earlier run."""
    window: int = -1
    """Turns every model reads, whatever it was trained with; -1: as its header says."""
    latency_items: int = 2
    """Replies per model whose first chunk is waited for; 0 skips it."""
    seed: int = 0
    """Of generation."""
    device: str = "cpu"
    """Where models and recognisers run: cpu or cuda."""

    def __post_init__(self) -> None:
        clash = sorted({RECORDED, RESYNTHESIS} & set(self.models))
        if clash:
            raise ValueError(f"models: {clash} are names of our own; choose others")
        if not self.models and not self.recorded:
            raise ValueError("nothing to evaluate: no models and recorded is off")
        if self.resynthesis and not self.models:
            raise ValueError("resynthesis needs a model; name one or set resynthesis to false")

    @property
    def systems(self) -> tuple[str, ...]:
        """Everything that is heard, in the order of the report."""
        first = (RECORDED,) if self.recorded else ()
        second = (RESYNTHESIS,) if self.resynthesis and self.source.data else ()
        return (*first, *second, *self.models)
