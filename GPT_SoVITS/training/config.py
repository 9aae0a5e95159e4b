"""Configs shared by both trainings; read by jsonargparse from YAML and dotted overrides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


class ConfigError(ValueError):
    """Settings that cannot be trained with; says which, and what could stand there."""


@dataclass(frozen=True)
class DataConfig:
    """Which prepared corpus to read."""

    folder: str = "data/demo"
    """Folder written by `python -m prepare_datasets`."""
    bert: Literal["auto", "off"] = "auto"
    """s1: auto reads what `python -m prepare_datasets.bert_features` wrote, where it is."""
    num_workers: int = 0
    """Loader processes; the order of batches does not depend on it."""

    def __post_init__(self) -> None:
        if self.num_workers < 0:
            raise ConfigError(f"data.num_workers is {self.num_workers}; use 0 or more")


@dataclass(frozen=True)
class RunConfig:
    """Where results go, and the seed everything random is derived from."""

    folder: str = "runs/demo"
    """`<folder>/s1|s2` receives checkpoints and metrics, `<folder>/talker` the exported models."""
    seed: int = 1234
    """Of order, noise, dropout and new weights."""
    init_from: str = ""
    """Model to start from: a talker folder, a file of ours or a published one; empty: new weights.
    Its sizes hold; of `model` only dropout and the conversation parts count then."""


@dataclass(frozen=True)
class TrainerConfig:
    """Length and rhythm of training, in optimiser steps."""

    max_steps: int = 1000
    """Optimiser steps."""
    validate_every: int = 100
    """Steps between validations."""
    save_every: int = 200
    """Steps between checkpoints; the last two are kept."""
    log_every: int = 10
    """Steps between lines of metrics.jsonl."""
    accelerator: str = "auto"
    """auto, cpu or cuda."""
    devices: int = 1
    """Processes per machine (DDP under torchrun or SLURM); a batch is shared among all."""
    num_nodes: int = 1
    """Machines."""
    precision: str = "32-true"
    """32-true, bf16-mixed or 16-mixed (losses are in fp32 always)."""
    accumulate: int = 1
    """Parts that a batch is worked through in: the memory of one part, the step of the whole."""
    max_valid_batches: int = 16
    """Batches of a validation, at most."""
    patience: int = 0
    """Stop after so many validations in a row without a lower valid/loss; 0 never does."""
    overfit: int = 0
    """Train on the first so many batches again and again: a sound network learns them by heart."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """auto: DDP for several processes. fsdp: s1 on GPUs, weights and optimiser state shared out."""
    compile: str = ""
    """A torch.compile backend for the network, e.g. inductor; empty: not compiled."""
    ema: float = 0.0
    """Decay of a running average of the weights that is exported in their place; 0 is off."""
    threads: int = 0
    """CPU threads; 0 leaves torch's choice."""

    def __post_init__(self) -> None:
        for name in (
            "max_steps",
            "validate_every",
            "save_every",
            "log_every",
            "devices",
            "num_nodes",
            "accumulate",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"trainer.{name} is {getattr(self, name)}; use 1 or more")
        for name in ("patience", "overfit"):
            if getattr(self, name) < 0:
                raise ConfigError(f"trainer.{name} is {getattr(self, name)}; use 0 or more")
        if self.strategy not in ("auto", "ddp", "fsdp"):
            raise ConfigError(f"trainer.strategy is {self.strategy!r}; use auto, ddp or fsdp")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"trainer.ema is {self.ema}; use a decay in [0, 1), e.g. 0.999")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"trainer.precision is {self.precision!r}: {', '.join(PRECISIONS)}")
        if self.accelerator not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"trainer.accelerator is {self.accelerator!r}; use auto, cpu or cuda")


@dataclass(frozen=True)
class S1TrainerConfig(TrainerConfig):
    """Stage 1 clips its gradients; stage 2, as published, does not."""

    gradient_clip: float = 1.0
    """Largest gradient norm; 0 switches it off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gradient_clip < 0:
            raise ConfigError(f"trainer.gradient_clip is {self.gradient_clip}; use 0 or more")


@dataclass(frozen=True)
class S2TrainerConfig(TrainerConfig):
    """Stage 2 has two optimisers by hand, which cannot be shared out."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strategy == "fsdp":
            raise ConfigError("trainer.strategy fsdp is for stage 1; stage 2 takes auto or ddp")
