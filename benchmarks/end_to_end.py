"""From text to sound: `python -m benchmarks.end_to_end --full-size --json`.

A talker of random weights speaks replies of several lengths at each precision, in turns; `rtf` is
time / sound. `s2_rtf` renders the same tokens again with stage 2 alone, the rest is stage 1 and
text. `bandwidth_share` (stage 1: bytes a token reads * tokens / its time / measured bandwidth) and
`gemm_share` (stage 2: its generator's operations / its time / measured product of matrices) are the
efficiency ratios. The last line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import torch

from benchmarks import machine
from benchmarks.random_talker import random_talker, reply_options, session_of, text_of, voice
from benchmarks.s2_decode import generator_operations
from GPT_SoVITS.inference.rendering import render, start_reply
from GPT_SoVITS.inference.talker import Talker

WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}


def once(talker: Talker, seconds: float, precision: str) -> tuple[float, float]:
    """Seconds of a whole reply, and of its second stage alone."""
    options, text, reference = reply_options(seconds, precision), text_of(seconds), voice()
    session = session_of(talker, 0, 0.0, options)
    start = time.perf_counter()
    speech = session.respond(text, language="en", reference_audio=reference)
    took = time.perf_counter() - start
    ids, sound = talker.frontend(text, "en").ids, talker.voice([reference])
    start = time.perf_counter()
    vocoder = talker.vocoder(precision)
    reply = start_reply(talker.s2, ids, sound, options, talker.generator(0), vocoder=vocoder)
    render(reply, speech.codes)
    return took, time.perf_counter() - start


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All precisions and lengths in turns."""
    talker = random_talker(full_size=args.full_size, device=args.device)
    for precision in args.precisions:
        once(talker, 1.0, precision)
    probes = [(machine.read_bandwidth(), machine.gemm_peak())]
    spent: dict[tuple[str, float], list[tuple[float, float]]] = {}
    for _ in range(args.rounds):
        for seconds in args.seconds:
            for precision in args.precisions:
                spent.setdefault((precision, seconds), []).append(once(talker, seconds, precision))
    probes.append((machine.read_bandwidth(), machine.gemm_peak()))
    bandwidth, peak = (statistics.mean(values) for values in zip(*probes))
    layers = sum(p.numel() for p in talker.s1.layers.parameters())
    rows = []
    for (precision, seconds), times in spent.items():
        took, second = (statistics.median(values) for values in zip(*times))
        first = max(1e-9, took - second)
        weight = WEIGHT_BYTES[talker.decoder(precision).precision]
        read = layers * weight + talker.s1.head.weight.numel() * 4
        rows.append(
            {
                "precision": precision,
                "seconds": seconds,
                "rtf": round(took / seconds, 4),
                "s2_rtf": round(second / seconds, 4),
                "tokens_per_s": round(25 * seconds / first, 1),
                "bandwidth_share": round(read * 25 * seconds / first / 1e9 / bandwidth, 3),
                "gemm_share": round(
                    generator_operations(talker.s2.config) * seconds / second / 1e9 / peak, 3
                ),
            }
        )
    return machine.cpu() | {
        "full_size": args.full_size,
        "device": args.device,
        "rows": rows,
        "read_gb_per_s": [round(one[0], 1) for one in probes],
        "gemm_gflop_per_s": [round(one[1], 1) for one in probes],
        "noisy": any(machine.noisy(*pair) for pair in zip(*probes)),
        "peak_memory_mb": round(machine.peak_memory()),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="v2's sizes")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--precisions", nargs="+", default=["fp32", "auto"])
    parser.add_argument("--seconds", type=float, nargs="+", default=[2.0, 8.0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = measure(args)
    if not args.json:
        for row in report["rows"]:
            print(json.dumps(row))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
