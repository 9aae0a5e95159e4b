"""Time to the first token in a long dialogue: `python -m benchmarks.session --full-size --json`.

Equal turns, user and agent in alternation, history `growing`. For every turn of the agent:

    hear           the user's turn has come: its columns are encoded (the agent need not wait for
                   it to speak; `first_token` leaves it out, `hear_and_first_token` counts it)
    first_token    the response's text is known -> its first token
    encode_all     the same first token by a session that encodes the whole dialogue then

The last line is a JSON object; `accepted` names its limits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks import machine
from GPT_SoVITS.audio.constants import TOKEN_RATE
from GPT_SoVITS.dialogue.layout import EncodedTurn, LayoutConfig
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

PHONEMES_PER_SECOND = 12
GROWING = LayoutConfig(history_mode="growing", history_tokens=1_000_000)
TWICE, FIFTH = 2.0, 0.2


def made_turn(speaker: str, seconds: float, seed: int) -> EncodedTurn:
    """A turn of so many seconds at a usual rate of speech."""
    rng = np.random.default_rng(seed)
    phonemes = rng.integers(1, 300, round(PHONEMES_PER_SECOND * seconds))
    return EncodedTurn(speaker, phonemes, rng.integers(0, 1024, round(TOKEN_RATE * seconds)))


def context_of(decoder: Decoder, turns: list[EncodedTurn]) -> DialogueContext:
    """A session of the agent with these turns, nothing encoded yet."""
    return DialogueContext(decoder, agent="agent", layout=GROWING, turns=turns)


def milliseconds(run: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def first_token(context: DialogueContext, text: np.ndarray) -> None:
    """The response's text is known; its first token comes."""
    generation = context.generate(context.prefix(text), SamplingOptions(top_k=1, eos_guard=2))
    next(generation)
    generation.close()


def turn_times(
    decoder: Decoder, turns: list[EncodedTurn], text: np.ndarray, repeats: int
) -> dict[str, float]:
    """Medians in ms for the response behind ``turns``, the last of which has just come."""
    times: dict[str, list[float]] = {"hear": [], "first_token": [], "encode_all": []}
    for _ in range(repeats):
        session = context_of(decoder, turns[:-1])
        session.warm()
        session.add(turns[-1])
        times["hear"].append(milliseconds(session.warm))
        times["first_token"].append(milliseconds(partial(first_token, session, text)))
        alone = context_of(decoder, turns)
        times["encode_all"].append(milliseconds(partial(first_token, alone, text)))
    found = {name: round(statistics.median(spent), 2) for name, spent in times.items()}
    return found | {"hear_and_first_token": round(found["hear"] + found["first_token"], 2)}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """The turns asked for, and how the last compares with the first and with encoding all."""
    torch.manual_seed(0)
    config = S1Config() if args.full_size else S1Config(hidden_dim=64, n_head=4, n_layer=2)
    decoder = Decoder(SemanticGPT(config).eval(), precision=args.precision)
    text = made_turn("agent", args.seconds, 10_000).phonemes
    turns = [
        made_turn("agent" if k % 2 else "user", args.seconds, k) for k in range(max(args.turns) - 1)
    ]
    turn_times(decoder, turns[:1], text, 1)  # buffers, threads, compiled code
    bandwidth = [machine.read_bandwidth()]
    found = {}
    for number in args.turns:
        one = turn_times(decoder, turns[: number - 1], text, args.repeats)
        columns = len(context_of(decoder, turns[: number - 1]).prefix(text))
        found[str(number)] = one | {"columns": columns}
        bandwidth.append(machine.read_bandwidth())
    first, last = (found[str(number)] for number in (args.turns[0], args.turns[-1]))
    ratios = {
        "last_to_first": last["first_token"] / first["first_token"],
        "last_to_encode_all": last["first_token"] / last["encode_all"],
        "hearing_included_last_to_first": last["hear_and_first_token"]
        / first["hear_and_first_token"],
        "hearing_included_last_to_encode_all": last["hear_and_first_token"] / last["encode_all"],
    }
    return machine.cpu() | {
        "full_size": args.full_size,
        "precision": decoder.precision,
        "turn_seconds": args.seconds,
        "read_gb_per_s": [round(b, 1) for b in bandwidth],
        "noisy": machine.noisy(min(bandwidth), max(bandwidth)),
        "turns_ms": found,
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "accepted": {
            f"last_to_first <= {TWICE:g}": ratios["last_to_first"] <= TWICE,
            f"last_to_encode_all <= {FIFTH:g}": ratios["last_to_encode_all"] <= FIFTH,
        },
        "peak_memory_mb": round(machine.peak_memory()),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="24 layers of width 512")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--turns", type=int, nargs="+", default=[2, 6, 10, 14, 20])
    parser.add_argument("--seconds", type=float, default=3.0, help="of every turn")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    if min(args.turns) < 2 or args.turns != sorted(args.turns):
        parser.error("--turns: whole numbers from 2, in ascending order")
    torch.set_num_threads(args.threads)
    report = measure(args)
    if not args.json:
        for number, times in report["turns_ms"].items():
            print(f"turn {number}: {times}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
