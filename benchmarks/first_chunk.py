"""How soon a reply is heard: `python -m benchmarks.first_chunk --full-size --json`.

A talker of random weights answers with a reply of so many seconds, in a dialogue of so many turns:
whole, and streamed. `first_chunk_share` is the time to the first chunk / the time of the whole
reply, `first_chunk_cpu_share` the same in processor time, for a machine that is not idle. `slack_s`
is how far ahead of a player that starts with the first chunk the stream stays at its closest; below
0 the player would have had to wait. Text analysis is included, loading is not.
The last line is a JSON object.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from typing import Any

import torch

from benchmarks import machine
from benchmarks.random_talker import random_talker, reply_options, session_of, text_of, voice
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.session import DialogueSession


def streamed(session: DialogueSession, text: str, options: GenerationOptions) -> dict[str, float]:
    """One streamed reply of a fork."""
    fork, reference = session.fork(), voice()
    start, cpu = time.perf_counter(), time.process_time()
    arrivals, ends, heard, spent = [], [], 0.0, 0.0
    for chunk in fork.stream(text, language="en", reference_audio=reference, options=options):
        arrivals.append(time.perf_counter() - start)
        spent = spent or time.process_time() - cpu
        heard += chunk.seconds
        ends.append(heard)
    slack = [
        arrivals[0] + played - arrived for played, arrived in zip(ends[:-1], arrivals[1:])
    ] or [0.0]
    return {
        "first_chunk_s": arrivals[0],
        "first_chunk_cpu_s": spent,
        "first_chunk_audio_s": ends[0],
        "stream_s": arrivals[-1],
        "chunks": len(arrivals),
        "slack_s": min(slack),
    }


def whole(session: DialogueSession, text: str, options: GenerationOptions) -> dict[str, float]:
    """Wall and processor seconds of the same reply in one piece."""
    fork, reference = session.fork(), voice()
    start, cpu = time.perf_counter(), time.process_time()
    fork.respond(text, language="en", reference_audio=reference, options=options)
    return {"whole_s": time.perf_counter() - start, "whole_cpu_s": time.process_time() - cpu}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Whole and streamed in turns."""
    talker = random_talker(full_size=args.full_size, device=args.device)
    options = dataclasses.replace(
        reply_options(args.seconds, args.precision),
        first_chunk_tokens=args.first_chunk_tokens,
        lookahead_tokens=args.lookahead_tokens,
    )
    session, text = session_of(talker, args.turns, 3.0, options), text_of(args.seconds)
    probe = machine.read_bandwidth()
    streamed(session, text, options)
    rounds = []
    for _ in range(args.rounds):
        rounds.append(streamed(session, text, options) | whole(session, text, options))
    after = machine.read_bandwidth()
    middle = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
    shares = [one["first_chunk_s"] / one["whole_s"] for one in rounds]
    cpu_shares = [one["first_chunk_cpu_s"] / one["whole_cpu_s"] for one in rounds]
    return (
        machine.cpu()
        | {
            "full_size": args.full_size,
            "device": args.device,
            "precision": args.precision,
            "turns": args.turns,
            "seconds": args.seconds,
            "first_chunk_tokens": options.first_chunk_tokens,
            "lookahead_tokens": options.lookahead_tokens,
        }
        | middle
        | {
            "first_chunk_share": round(statistics.median(shares), 3),
            "first_chunk_cpu_share": round(statistics.median(cpu_shares), 3),
            "read_gb_per_s": [round(probe, 1), round(after, 1)],
            "noisy": machine.noisy(probe, after),
            "peak_memory_mb": round(machine.peak_memory()),
        }
    )


def main() -> None:
    """Parse, measure, print."""
    defaults = GenerationOptions()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="v2's sizes")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or int8")
    parser.add_argument("--turns", type=int, default=4, help="finished turns of 3 s")
    parser.add_argument("--seconds", type=float, default=8.0, help="of the reply")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first-chunk-tokens", type=int, default=defaults.first_chunk_tokens)
    parser.add_argument("--lookahead-tokens", type=int, default=defaults.lookahead_tokens)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = measure(args)
    if not args.json:
        print(
            f"first chunk after {report['first_chunk_s']} s, whole reply after "
            f"{report['whole_s']} s, share {report['first_chunk_share']}"
        )
    print(json.dumps(report))


if __name__ == "__main__":
    main()
