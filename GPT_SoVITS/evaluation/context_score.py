"""Does stage 1 use the history? Likelihood of the true responses, history given and withheld.

    python -m GPT_SoVITS.evaluation.context_score --model runs/demo/talker --data data/demo

No sampling, no vocoder, no second model: the score of every condition is the negative
log-likelihood of the recorded response's own tokens. All conditions see the same responses.

    full       [u1 text][u1 speech][a2 text][a2 speech][r text] -> loss on r's tokens
    text       [u1 text]           [a2 text]           [r text]
    speech              [u1 speech]         [a2 speech][r text]
    none                                               [r text]
    shuffled   a2's content in u1's place and u1's in a2's (needs two turns of history)
    other      another dialogue's turns in the same places
    turns=n    full, but the last n turns only

Reported over all responses and per dialogue, in nats per token and top-k accuracy, with the paired
difference to `full`: positive means that the history helps. A model that never reads its history
has zero everywhere.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.dialogue.history import select_history, sequence_of
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, read_s1
from GPT_SoVITS.evaluation.history_swap import swapped_history
from GPT_SoVITS.evaluation.metrics.intervals import paired_difference
from GPT_SoVITS.evaluation.metrics.tokens import TOP, TokenScore, score_sequences
from GPT_SoVITS.s1_gpt.model import SemanticGPT

log = logging.getLogger(__name__)
CONDITIONS = ("full", "text", "speech", "none", "shuffled", "other")


@dataclass(frozen=True)
class ScoredItem:
    """One response under every condition that it allows."""

    turn: str
    dialogue: str
    n_history: int
    scores: dict[str, TokenScore]


def conditions_of(
    turns: Sequence[EncodedTurn],
    target: int,
    layout: LayoutConfig,
    *,
    other: Sequence[EncodedTurn] | None,
    max_turns: int,
    rng: random.Random,
) -> dict[str, Columns]:
    """The sequences of one response by condition; those it does not allow are left out."""
    layout = replace(layout, loss_on="response")
    own = [turns[i] for i in select_history(turns, target, layout)]
    found = {
        name: sequence_of(turns, target, layout, history=own, keep=name).columns()
        for name in ("full", "text", "speech", "none")
    }
    if len(own) > 1:
        places = list(range(len(own)))
        while places == sorted(places):
            rng.shuffle(places)
        mixed = [replace(own[k], speaker=o.speaker, turn=o.turn) for k, o in zip(places, own)]
        found["shuffled"] = sequence_of(turns, target, layout, history=mixed).columns()
    if other:
        found["other"] = sequence_of(turns, target, layout, history=other).columns()
    for n in range(1, min(max_turns, target) + 1):
        last = list(turns[target - n : target])
        found[f"turns={n}"] = sequence_of(turns, target, layout, history=last).columns()
    return found


def score_dialogues(
    model: SemanticGPT,
    dialogues: Sequence[S1Record],
    layout: LayoutConfig,
    *,
    donors: Sequence[S1Record] | None = None,
    max_turns: int = 4,
    max_items: int = 400,
    seed: int = 0,
) -> list[ScoredItem]:
    """Every target that has a history, under every condition.

    ``donors`` give the histories of `other` (default: the dialogues themselves); the nearest one of
    the same language that is long enough is taken. Deterministic for a seed. Raises `ValueError`.
    """
    rng = random.Random(seed)
    pool = list(donors if donors is not None else dialogues)
    encoded = {record.dialogue: [t.encoded() for t in record.turns] for record in pool}
    items: list[ScoredItem] = []
    for index, record in enumerate(dialogues):
        turns = [turn.encoded() for turn in record.turns]
        for target in record.targets:
            own = select_history(turns, target, layout)
            if not own or len(items) >= max_items:
                continue
            swap = _donated(record, [turns[i] for i in own], target, pool, encoded, index)
            sequences = conditions_of(
                turns, target, layout, other=swap, max_turns=max_turns, rng=rng
            )
            scores = score_sequences(model, list(sequences.values()), mask=layout.mask)
            items.append(
                ScoredItem(
                    record.turns[target].id, record.dialogue, len(own), dict(zip(sequences, scores))
                )
            )
    if not items:
        raise ValueError("no target has a history: nothing to compare")
    return items


def _donated(
    record: S1Record,
    own: Sequence[EncodedTurn],
    target: int,
    pool: Sequence[S1Record],
    encoded: dict[str, list[EncodedTurn]],
    index: int,
) -> list[EncodedTurn] | None:
    others = [r for r in pool if r.dialogue != record.dialogue]
    same = [r for r in others if r.turns[0].language == record.turns[0].language] or others
    for shift in range(len(same)):
        donor = encoded[same[(index + shift) % len(same)].dialogue]
        swap = swapped_history(own, donor[:target])
        if swap:
            return swap
    return None


def summarise(items: Sequence[ScoredItem]) -> dict[str, Any]:
    """Conditions in order -> totals, and the paired difference to `full` on the same responses."""
    names = list(dict.fromkeys(name for item in items for name in item.scores))
    names.sort(key=lambda name: (name.startswith("turns="), name not in CONDITIONS))
    found: dict[str, Any] = {}
    for name in names:
        having = [item for item in items if name in item.scores]
        total = sum((item.scores[name] for item in having[1:]), having[0].scores[name])
        entry: dict[str, Any] = {
            "n": len(having),
            "tokens": total.n_tokens,
            "nats_per_token": total.per_token,
            "perplexity": total.perplexity,
            **{f"top{k}": total.accuracy(k) for k in TOP},
        }
        if name != "full":
            entry["minus_full"] = paired_difference(
                [item.scores["full"].per_token for item in having],
                [item.scores[name].per_token for item in having],
                [item.dialogue for item in having],
            ).as_dict()
        found[name] = entry
    return found


def by_dialogue(items: Sequence[ScoredItem]) -> dict[str, dict[str, float]]:
    """Dialogue -> nats per token of every condition."""
    groups: dict[str, dict[str, TokenScore]] = defaultdict(dict)
    for item in items:
        for name, score in item.scores.items():
            known = groups[item.dialogue]
            known[name] = known[name] + score if name in known else score
    return {
        dialogue: {name: score.per_token for name, score in scores.items()}
        for dialogue, scores in groups.items()
    }


def table(summary: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| history | responses | nats/token | top-1 | top-10 | minus full (95 % interval) | p |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, entry in summary.items():
        gap = entry.get("minus_full")
        paired = "| – | – |"
        if gap:
            paired = f"| {gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] "
            paired += f"| {gap['p_value']:.4f} |"
        lines.append(
            f"| {name} | {entry['n']} | {entry['nats_per_token']:.4f} | {entry['top1']:.4f} "
            f"| {entry['top10']:.4f} {paired}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table; `--output` keeps the numbers of every response."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a talker folder or s1 file")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--split", choices=["train", "valid"], default="valid")
    parser.add_argument("--max-turns", type=int, default=4, help="turns=1 to this (4)")
    parser.add_argument("--max-items", type=int, default=400, help="responses to score (400)")
    parser.add_argument("--seed", type=int, default=0, help="of the shuffled turns (0)")
    parser.add_argument("--output", type=Path, help="JSON of everything")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = options.model / "s1.safetensors" if options.model.is_dir() else options.model
    model, header = load_s1(path)
    dialogues = list(read_s1(options.data / "5_sequences" / f"s1_{options.split}.jsonl"))
    items = score_dialogues(
        model,
        dialogues,
        LayoutConfig(**header.layout),
        max_turns=options.max_turns,
        max_items=options.max_items,
        seed=options.seed,
    )
    summary = summarise(items)
    print(table(summary))
    if options.output:
        write_result(options.output, items, summary)


def write_result(path: Path, items: Sequence[ScoredItem], summary: dict[str, Any]) -> None:
    """Everything as JSON: the summary, each dialogue, each response."""
    values = {
        "summary": summary,
        "dialogues": by_dialogue(items),
        "items": [asdict(item) for item in items],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    log.info("wrote %s", path)


if __name__ == "__main__":
    main()
