"""What a model is told of the history, condition by condition, and what it says then."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig
from GPT_SoVITS.evaluation.benchmark.corpus import BenchmarkError, Item, style_of
from GPT_SoVITS.evaluation.history_swap import swapped_history
from GPT_SoVITS.s1_gpt.generate import generate_batch
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

CONDITIONS = ("full", "text", "speech", "none", "shuffled", "turns=1", "turns=2", "turns=3")
"""`full` is up to the window's turns, 4 in the benchmark; `shuffled` another dialogue's turns."""


@dataclass(frozen=True)
class Prompt:
    """An item under a condition: what the model reads, and the style it heard last."""

    columns: Columns
    heard: str | None
    """style of the last turn given; None where no speech is given"""


def donors(items: Sequence[Item], *, seed: int) -> list[Item]:
    """For every item another dialogue's of the same language, long enough, drawn by `seed`.

    Raises `BenchmarkError`.
    """
    rng, found = random.Random(seed), []
    for item in items:
        others = [
            other
            for other in items
            if other.dialogue != item.dialogue
            and other.response.language == item.response.language
            and len(other.turns) >= item.target
        ]
        if not others:
            raise BenchmarkError(
                f"{item.response.id}: no other dialogue of its language is as long; take more items"
            )
        found.append(rng.choice(others))
    return found


def prompt_of(item: Item, condition: str, layout: LayoutConfig, donor: Item) -> Prompt:
    """The sequence of an item up to its response's text, under a condition.

    Raises `BenchmarkError`.
    """
    layout = replace(layout, loss_on="response")
    turns = [turn.encoded() for turn in item.turns]
    n = layout.history_turns
    if condition.startswith("turns="):
        n = int(condition.removeprefix("turns="))
    start = max(0, item.target - n)
    history: list[EncodedTurn] = turns[start : item.target]
    keep, heard = "full", style_of(item.turns[item.target - 1]) if history else None
    if condition in ("text", "speech", "none"):
        keep = condition
        heard = heard if condition == "speech" else None
    elif condition == "shuffled":
        swap = swapped_history(history, [t.encoded() for t in donor.turns[: item.target]])
        if history and not swap:
            raise BenchmarkError(f"{donor.dialogue}: too short to give a history")
        history = swap or []
        heard = style_of(donor.turns[item.target - 1]) if history else None
    sequence = sequence_of(
        turns, item.target, layout, history=history, keep=keep, include_response_codes=False
    )
    return Prompt(sequence.columns(), heard)


def speak(
    model: SemanticGPT,
    prompts: Sequence[Prompt],
    options: SamplingOptions,
    *,
    mask: str,
    seed: int,
    batch_size: int = 32,
) -> list[list[int]]:
    """Tokens of each reply; item k draws from seed and k alone, whatever the condition."""
    model.eval()
    found: list[list[int]] = [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda k: len(prompts[k].columns))
    for start in range(0, len(order), batch_size):
        places = order[start : start + batch_size]
        replies = generate_batch(
            model,
            [prompts[k].columns for k in places],
            options,
            [torch.Generator().manual_seed(seed * 1_000_003 + k) for k in places],
            mask=mask,
        )
        for k, reply in zip(places, replies):
            found[k] = reply
    return found
