"""Does the history matter? Loss on held-out responses with the true and with a swapped history.

    python -m GPT_SoVITS.evaluation.history_swap --model runs/demo/talker --data data/demo

Every target turn of the split is scored twice: after its own history, and after the history of
another dialogue of the same language (as many turns, the same roles, the same turn numbers):

    true     [A0 text][A0 speech][A1 text][A1 speech][A2 text] -> loss on A2's tokens
    swapped  [B0 text][B0 speech][B1 text][B1 speech][A2 text] -> loss on A2's tokens

A model that ignores the history scores both alike; a positive difference says that it listens.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.dialogue.history import select_history, sequence_of
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, read_s1
from GPT_SoVITS.evaluation.paired import PairedResult, compare
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.loss import semantic_loss
from GPT_SoVITS.s1_gpt.model import SemanticGPT

log = logging.getLogger(__name__)


def response_loss(
    model: SemanticGPT,
    turns: Sequence[EncodedTurn],
    target: int,
    history: Sequence[EncodedTurn],
    layout: LayoutConfig,
) -> float:
    """Mean negative log-likelihood (nats per token, EOS included) of a turn after a history."""
    layout = replace(layout, loss_on="response")
    batch = collate([sequence_of(turns, target, layout, history=history).columns()])
    with torch.inference_mode():
        logits = model(batch, mask=layout.mask)  # (1, N, V)
    return float(semantic_loss(logits, batch.target, reduction="mean").loss)


def swapped_history(
    own: Sequence[EncodedTurn], other: Sequence[EncodedTurn]
) -> list[EncodedTurn] | None:
    """The last turns of `other` in the places (speaker, turn number) of `own`; None if too few."""
    if len(other) < len(own) or not own:
        return None
    donors = other[len(other) - len(own) :]
    return [
        replace(donor, speaker=place.speaker, turn=place.turn) for place, donor in zip(own, donors)
    ]


def measure(
    model: SemanticGPT,
    dialogues: Sequence[S1Record],
    layout: LayoutConfig,
    *,
    max_pairs: int = 200,
) -> tuple[PairedResult, list[dict[str, Any]]]:
    """Score every target after both histories -> (paired result, one record per pair).

    The donor is the next dialogue of the same language (of any language when there is no other),
    read at the same target, so that the number of turns and the roles agree. Raises `ValueError`.
    """
    model.eval()
    turns = [[turn.encoded() for turn in dialogue.turns] for dialogue in dialogues]
    languages = [dialogue.turns[0].language for dialogue in dialogues]
    records: list[dict[str, Any]] = []
    for index, dialogue in enumerate(dialogues):
        others = [i for i in range(len(dialogues)) if i != index]
        same = [i for i in others if languages[i] == languages[index]]
        candidates = sorted(same or others, key=lambda i: (i - index) % len(dialogues))
        for target in dialogue.targets:
            own = [turns[index][i] for i in select_history(turns[index], target, layout)]
            swaps = (swapped_history(own, turns[i][:target]) for i in candidates)
            swapped = next((swap for swap in swaps if swap), None)
            if swapped is None or len(records) >= max_pairs:
                continue
            histories = {"true": own, "swapped": swapped, "without": []}
            losses = {
                name: response_loss(model, turns[index], target, history, layout)
                for name, history in histories.items()
            }
            records.append({"turn": dialogue.turns[target].id, **losses})
    if not records:
        raise ValueError("no target has a history that can be swapped: need two dialogues or more")
    return compare([one["true"] for one in records], [one["swapped"] for one in records]), records


def main(arguments: list[str] | None = None) -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a talker folder or s1 file")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--split", choices=["train", "valid"], default="valid")
    parser.add_argument("--max-pairs", type=int, default=200, help="pairs to score (200)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = options.model / "s1.safetensors" if options.model.is_dir() else options.model
    model, header = load_s1(path)
    layout = LayoutConfig(**header.layout)
    manifest = options.data / "5_sequences" / f"s1_{options.split}.jsonl"
    dialogues = list(read_s1(manifest))
    result, records = measure(model, dialogues, layout, max_pairs=options.max_pairs)
    log.info(result.sentence("true history", "swapped history", "nats per token"))
    print(json.dumps({**result.as_dict(), "split": options.split, "pairs": records}))


if __name__ == "__main__":
    main()
