"""Every default of speaking, once: the CLI, the Python API, the server and the studio read this."""

from __future__ import annotations

import math
from dataclasses import dataclass

from GPT_SoVITS.s1_gpt.config import PRECISIONS

SPEED_RANGE = (0.5, 2.0)
LONGEST_SECONDS = 60.0


@dataclass(frozen=True)
class GenerationOptions:
    """How a reply is sampled (stage 1) and rendered (stage 2)."""

    top_k: int = 15
    """Keep the k likeliest tokens; 1 is greedy."""
    top_p: float = 1.0
    """Keep the likeliest tokens up to this probability mass, in (0, 1]."""
    temperature: float = 1.0
    """Divides the logits; below 1 is calmer, above 1 is livelier."""
    repetition_penalty: float = 1.35
    """Penalty on tokens already spoken in this reply; 1.0 is off."""
    eos_guard: int = 11
    """Number of first tokens that cannot be the end (25 tokens are one second)."""
    max_seconds: float = 30.0
    """Longest reply in seconds."""
    collapse_retries: int = 2
    """A reply that goes round in a loop or falls silent is drawn again from there, so many times at
    most; then it ends there, and its report says so. 0: not watched."""
    candidates: int = 1
    """Replies decoded together; the best by likelihood and length is spoken. A stream of more than
    one starts when all are decoded."""
    length_power: float = 1.0
    """Ranking: likelihood / tokens ** this; 1 is the mean per token, smaller prefers the short."""
    check_attempts: int = 3
    """With a recogniser: attempts at most until a line is understood; the best is spoken."""
    check_tolerance: float = 0.1
    """With a recogniser: word errors per word that need no other attempt."""
    longest_silence: float = 0.0
    """Seconds; silences are shortened to this where a line has three times as much in all. 0: left
    as they are."""
    precision: str = "auto"
    """Arithmetic of both stages: auto (the fastest measured on this machine), fp32, bf16 or int8
    (stage 1's weights; stage 2 as auto)."""
    noise_scale: float = 0.5
    """Stage 2 prior noise; 0 is the mean."""
    speed: float = 1.0
    """Speaking rate; 1.2 is 20 % faster."""
    seed: int = 0
    """Seed of both stages: same options, same reply."""
    longest_part: int = 80
    """Longer texts are cut by meaning and spoken part by part, as one reply; counted in hanzi, a
    Latin letter is a third. 0: never cut."""
    part_pause: float = 0.25
    """Seconds of silence between the parts of a long text."""
    chunk_tokens: int = 50
    """Streaming: most tokens per chunk; chunks grow from the first one's to this."""
    first_chunk_tokens: int = 12
    """Streaming: tokens of the first chunk; small, so that sound starts soon."""
    lookahead_tokens: int = 4
    """Streaming: tokens known beyond a chunk's end before the chunk is rendered."""

    def __post_init__(self) -> None:
        _whole("top_k", self.top_k, 1, 1025)
        _number("top_p", self.top_p, 0.0, 1.0, above=True)
        _number("temperature", self.temperature, 0.0, 10.0, above=True)
        _number("repetition_penalty", self.repetition_penalty, 0.0, 10.0, above=True)
        _whole("eos_guard", self.eos_guard, 0, 1000)
        _number("max_seconds", self.max_seconds, 0.0, LONGEST_SECONDS, above=True)
        _whole("collapse_retries", self.collapse_retries, 0, 10)
        _whole("candidates", self.candidates, 1, 64)
        _number("length_power", self.length_power, 0.0, 4.0)
        _whole("check_attempts", self.check_attempts, 1, 16)
        _number("check_tolerance", self.check_tolerance, 0.0, 1.0)
        _number("longest_silence", self.longest_silence, 0.0, 10.0)
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; it must be one of {PRECISIONS}")
        _number("noise_scale", self.noise_scale, 0.0, 2.0)
        _number("speed", self.speed, *SPEED_RANGE)
        _whole("seed", self.seed, 0, 2**63 - 1)
        _whole("longest_part", self.longest_part, 0, 510)
        _number("part_pause", self.part_pause, 0.0, 10.0)
        _whole("chunk_tokens", self.chunk_tokens, 1, 1500)
        _whole("first_chunk_tokens", self.first_chunk_tokens, 1, 1500)
        _whole("lookahead_tokens", self.lookahead_tokens, 0, 250)


def _whole(name: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a whole number from {low} to {high}")


def _number(name: str, value: object, low: float, high: float, *, above: bool = False) -> None:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fine or not math.isfinite(value) or not low <= value <= high or (above and value <= low):  # type: ignore[arg-type, operator]
        word = "above" if above else "from"
        raise ValueError(f"{name} is {value!r}; it must be a number {word} {low:g} up to {high:g}")
