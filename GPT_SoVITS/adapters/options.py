"""What a LoRA fine-tuning trains: rank, places, voices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# kind -> name of a target -> the modules whose weight gets a low-rank addition.
TARGETS: dict[str, dict[str, str]] = {
    "s1": {
        "attention": r"layers\.\d+\.attention\.(qkv|out)",
        "feed_forward": r"layers\.\d+\.feed_forward_(in|out)",
    },
    "s2": {
        "prior_encoder": r"prior_encoder\..*(conv_[qkvo12]|c_pre|c_post|text_pre|ssl_proj|proj)",
        "generator": r"generator\.(conv_pre|cond|resblocks\.\d+\.convs[12]\.\d+)",
    },
}


@dataclass(frozen=True)
class LoraOptions:
    """Low-rank adapters on frozen base weights; `rank: 0` trains the whole model instead."""

    rank: int = 0
    """Columns of A and rows of B; 8 adds about 2 % to a full-size stage 1."""
    alpha: float = 16.0
    """The addition is (alpha / rank) B A."""
    dropout: float = 0.0
    """On the input of A."""
    targets: tuple[str, ...] = ()
    """Where; empty: new symbol rows alone are trained."""
    speakers: tuple[str, ...] = ()
    """One adapter for each of these speakers' turns ("*": everyone); empty: one for all data."""
    name: str = "adapter"
    """Name of the one adapter when `speakers` is empty."""

    def __post_init__(self) -> None:
        if self.rank < 0 or self.alpha <= 0:
            raise ValueError("lora: rank must be 0 or more, alpha above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"lora.dropout is {self.dropout}; it must be in [0, 1)")


@dataclass(frozen=True)
class S1LoraOptions(LoraOptions):
    """Adapters of stage 1."""

    targets: tuple[str, ...] = ("attention", "feed_forward")
    """attention, feed_forward; empty: new symbol rows alone are trained."""

    def __post_init__(self) -> None:
        super().__post_init__()
        target_pattern("s1", self.targets)


@dataclass(frozen=True)
class S2LoraOptions(LoraOptions):
    """Adapters of stage 2."""

    targets: tuple[str, ...] = ("prior_encoder",)
    """prior_encoder, generator; empty: new symbol rows alone are trained."""
    condition: bool = False
    """Each adapter also learns the vector the reference would give, from the speaker's medoid on:
    it then speaks in its voice whatever reference it is given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        target_pattern("s2", self.targets)


def target_pattern(kind: str, targets: Sequence[str]) -> str:
    """The regular expression of the targeted modules' full names. Raises `ValueError`."""
    known = TARGETS[kind]
    unknown = sorted(set(targets) - set(known))
    if unknown:
        raise ValueError(f"lora.targets {unknown}: {kind} knows {', '.join(known)}")
    return "|".join(f"(?:{known[target]})" for target in targets)


def adapter_name(speaker: str) -> str:
    """A speaker's name as it names a folder and a module: demo/en_f1 -> demo_en_f1.

    Raises `ValueError`.
    """
    name = re.sub(r"[^\w-]+", "_", speaker).strip("_")
    if not name:
        raise ValueError(f"lora: {speaker!r} cannot name an adapter; use letters or digits")
    return name
