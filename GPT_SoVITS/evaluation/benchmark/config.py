"""What one run of the controlled benchmark does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

MODELS = ("history", "no_history", "control")


@dataclass(frozen=True)
class BenchmarkConfig:
    """The benchmark on one corpus, from prepared data to the table."""

    data: str = "data/controlled"
    """Prepared demo corpus with style labels, split by voice (configs/data/controlled.yaml)."""
    output: str = "runs/controlled"
    """Folder of training data, models, replies and reports; a run continues there."""
    s1: str = "configs/s1/controlled.yaml"
    """Config of every s1 of the run; only data, run, seed and history differ."""
    s2: str = ""
    """Config of a stage 2 trained beside it, whose sound is judged too; empty: tokens only."""
    train: tuple[str, ...] = ()
    """More overrides for train_s1.py, e.g. ["--trainer.max_steps", "400"]."""
    train_s2: tuple[str, ...] = ()
    """More overrides for train_s2.py."""
    seeds: tuple[int, ...] = (1234,)
    """Of training (weights, batches, history dropout) and of generation; a folder for each."""
    models: tuple[str, ...] = MODELS
    """history: the one trained with history dropout. no_history: the same budget without any.
    control: trained where user turns belong to other dialogues."""
    max_items: int = 240
    """Test responses, equally many of every style."""
    audio_items: int = 48
    """Of them, how many are spoken; used with `s2`."""
    sampling: SamplingOptions = field(
        default_factory=lambda: SamplingOptions(top_k=5, repetition_penalty=1.0, max_tokens=120)
    )

    def __post_init__(self) -> None:
        unknown = sorted(set(self.models) - set(MODELS))
        if unknown or "history" not in self.models:
            raise ValueError(f"models must hold history and may hold {MODELS}, not {unknown}")
        if self.max_items < 8 or self.audio_items < 1:
            raise ValueError("max_items must be 8 or more and audio_items 1 or more")
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must be one or more different numbers, not {self.seeds}")

    def folder(self, seed: int) -> Path:
        """Where a seed's models and replies are."""
        return Path(self.output) / f"seed_{seed}"
