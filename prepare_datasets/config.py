"""What to prepare and how: the values of `configs/data/*.yaml`. Machine paths are options."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from GPT_SoVITS.features.kinds import FRAME_KINDS
from GPT_SoVITS.features.logmel import LogmelConfig
from GPT_SoVITS.text import TextConfig
from prepare_datasets.executors import Executor
from prepare_datasets.limits import AudioLimits, TextLimits
from prepare_datasets.source import SourceConfig
from prepare_datasets.splits import Gaps, SplitConfig


@dataclass(frozen=True)
class FeatureSource:
    """Content features, from which the tokens are made."""

    kind: str = "logmel"
    """logmel: no weights needed; hubert: a local chinese-hubert-base folder (--hubert);
    imported_features, imported_codes: what the published preparation computed. More may be
    found in `GPT_SoVITS/features/kinds.py`."""
    logmel: LogmelConfig = field(default_factory=LogmelConfig)
    origin: str = ""
    """Of imported codes: the quantizer that made them, e.g. s2G488k; part of the quantizer_id."""

    def __post_init__(self) -> None:
        known = ("logmel", *FRAME_KINDS, "imported_features", "imported_codes")
        if self.kind not in known:
            raise ValueError(f"feature.kind is {self.kind!r}; there are {', '.join(known)}")
        if (self.kind == "imported_codes") != bool(self.origin):
            raise ValueError("feature.origin belongs to imported_codes, and is needed there")


@dataclass(frozen=True)
class QuantizerConfig:
    """The k-means that makes tokens of features; fitted once on the train split, then frozen."""

    n_codes: int = 1024
    """Size of the table; the sequence format holds up to 1024."""
    sample: int = 60000
    """At most so many 25 Hz vectors are fitted on."""
    iterations: int = 20
    """Of k-means."""
    seed: int = 0
    """Of the vectors taken and the first table."""
    shrink: bool = False
    """Where the corpus has fewer vectors than n_codes: take a smaller table instead of stopping."""
    tokenizer: str = ""
    """Encode with this tokenizer (its file, or the folder of an imported or trained talker) instead
    of fitting one: what fine-tuning needs, since tokens mean something with their codebook only."""

    def __post_init__(self) -> None:
        if not 2 <= self.n_codes <= 1024:
            raise ValueError(f"quantizer.n_codes is {self.n_codes}; it must be 2 to 1024")


@dataclass(frozen=True)
class SequenceConfig:
    """How turns become training sequences."""

    history_turns: int = 2
    """Turns before the response that stage 2 is told about, and the default of stage 1."""
    targets: Literal["all", "agent"] = "all"
    """Which turns stage 1 learns to respond with: every turn with history, or the agent's."""
    first_turns: bool = False
    """Also respond with a dialogue's first turn, which has no history: for recordings that stand
    alone."""
    gaps: Gaps = "cut"
    """Where a turn is missing: cut the dialogue there, keep it as if nothing was missing, or drop
    the turns after it."""
    min_turns: int = 2
    """Dialogues of fewer turns are dropped."""

    def __post_init__(self) -> None:
        if self.history_turns < 0 or self.min_turns < 1:
            raise ValueError("sequences: history_turns must be 0 or more, min_turns 1 or more")


@dataclass(frozen=True)
class SpeakerConfig:
    """Which turns may stand for a speaker in speakers.json."""

    min_seconds: float = 2.0
    """Shortest reference clip."""
    max_seconds: float = 5.0
    """Longest reference clip."""


@dataclass(frozen=True)
class PrepareConfig:
    """One prepared data set."""

    name: str = "demo"
    """Data set name; the output goes to data/<name> unless --output says otherwise."""
    raw: str | None = None
    """Folder of recordings; default data/<name>_raw."""
    output: str | None = None
    """Folder to prepare into; default data/<name>."""
    corrections: str | None = None
    """History of corrections by hand (prepare_datasets.correct); default: corrections.jsonl in the
    output folder, where there is one."""
    steps: str = "1-5"
    """Which steps to run, e.g. 1-5, 4-5 or 3."""
    workers: int = 1
    """Processes."""
    executor: Literal["local", "ray"] = "local"
    """Where the work runs: processes of this machine, or Ray Data."""
    ray_address: str | None = None
    """Of a running cluster, e.g. auto; otherwise Ray starts on this machine."""
    card: bool = True
    """Write report.html and report.md with plots; needs matplotlib."""
    refit: bool = False
    """Fit statistics and quantizer again; every token changes, trained models no longer fit."""
    hubert: str | None = None
    """Local folder of chinese-hubert-base, or of the weights of another feature.kind."""
    hubert_device: str = "auto"
    """Where it runs: cpu, cuda, or auto (cuda where there is one); each worker has its own copy."""
    hubert_batch_seconds: float | None = None
    """Seconds of recordings that go through it together; default 0 (one by one) on a CPU, 240 on
    cuda."""
    source: SourceConfig = field(default_factory=SourceConfig)
    text: TextConfig = field(default_factory=TextConfig)
    text_limits: TextLimits = field(default_factory=TextLimits)
    audio: AudioLimits = field(default_factory=AudioLimits)
    feature: FeatureSource = field(default_factory=FeatureSource)
    """Content features, with the settings of their kind."""
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    sequences: SequenceConfig = field(default_factory=SequenceConfig)
    speakers: SpeakerConfig = field(default_factory=SpeakerConfig)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"name {self.name!r}: use letters, digits, '-', '_', '.'")
        if self.workers < 1:
            raise ValueError(f"workers is {self.workers}; it must be 1 or more")
        imports = self.feature.kind.startswith("imported")
        if (self.source.reader == "published") != imports:
            raise ValueError("feature.kind imported_* goes with source.reader published, both ways")
        kind = FRAME_KINDS.get(self.feature.kind)
        if kind is not None and kind.needs_folder and not self.hubert:
            raise ValueError(
                f"feature.kind {self.feature.kind} needs --hubert FOLDER of its weights "
                "(for hubert, of chinese-hubert-base)"
            )
        if (self.hubert_batch_seconds or 0) < 0:
            raise ValueError("hubert_batch_seconds must be 0 or more")
        self.step_numbers()

    @property
    def place(self) -> Executor:
        """Where the work of the steps runs."""
        return Executor(self.executor, self.workers, self.ray_address)

    @property
    def raw_folder(self) -> Path:
        """Folder of recordings."""
        return Path(self.raw or f"data/{self.name}_raw")

    @property
    def folder(self) -> Path:
        """Folder of the prepared data set."""
        return Path(self.output or f"data/{self.name}")

    @property
    def corrections_file(self) -> Path:
        """History of corrections by hand; may not be there."""
        return Path(self.corrections) if self.corrections else self.folder / "corrections.jsonl"

    def step_numbers(self) -> range:
        """`2-4` -> 2, 3, 4. Raises `ValueError`."""
        match = re.fullmatch(r"([1-5])(?:-([1-5]))?", str(self.steps))
        if match is None or (match[2] and match[2] < match[1]):
            raise ValueError(f"steps is {self.steps!r}; write 1-5, 3 or 4-5")
        return range(int(match[1]), int(match[2] or match[1]) + 1)
