"""What one run of the controlled benchmark does."""

from __future__ import annotations

from dataclasses import dataclass, field

from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

MODELS = ("history", "no_history", "control")


@dataclass(frozen=True)
class BenchmarkConfig:
    """One seed of the benchmark, from prepared data to the table."""

    data: str = "data/controlled"
    """Prepared demo corpus with style labels, split by voice (configs/data/controlled.yaml)."""
    output: str = "runs/controlled"
    """Folder of training data, models, replies and the report; a run continues there."""
    s1: str = "configs/s1/controlled.yaml"
    """Config of every s1 of the run; only data, run, seed and history differ."""
    train: tuple[str, ...] = ()
    """More overrides for train_s1.py, e.g. ["--trainer.max_steps", "400"]."""
    seed: int = 1234
    """Of training (weights, batches, history dropout) and of generation."""
    models: tuple[str, ...] = MODELS
    """history: the one trained with history dropout. no_history: the same budget without any.
    control: trained where user turns belong to other dialogues."""
    talker: str = ""
    """Talker folder whose s2 and tokenizer speak the replies; empty: tokens only."""
    items: int = 240
    """Test responses, equally many of every style."""
    audio_items: int = 48
    """Of them, how many are spoken; used with `talker`."""
    sampling: SamplingOptions = field(
        default_factory=lambda: SamplingOptions(top_k=5, repetition_penalty=1.0, max_tokens=120)
    )

    def __post_init__(self) -> None:
        unknown = sorted(set(self.models) - set(MODELS))
        if unknown or "history" not in self.models:
            raise ValueError(f"models must hold history and may hold {MODELS}, not {unknown}")
        if self.items < 8 or self.audio_items < 1:
            raise ValueError("items must be 8 or more and audio_items 1 or more")
