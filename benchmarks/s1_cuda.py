"""Speed and gates of stage 1's decoding on CUDA: `python -m benchmarks.s1_cuda --full-size --json`.

    eager    the step as it is written, its cache growing
    graph    steps of fixed sizes replayed as CUDA graphs (:mod:`GPT_SoVITS.s1_gpt.static_step`)

Gates first, at fp32: logits of the graph against one forward over all columns, and greedy tokens of
eager, graph and batches. Then tokens per second at every batch size and precision, prompts and
capture excluded. The last line is a JSON object; without a CUDA device it says so (exit code 1).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

import torch

from benchmarks import machine
from benchmarks.s1_decode import columns_of, greedy, token_bytes
from GPT_SoVITS.s1_gpt.batch import code_columns, collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Request
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.model import SemanticGPT

LIMITS = {"1": 1500.0, "32": 20_000.0}
"""Tokens per second asked for at these batch sizes."""
GATE = 1e-5


def replies(decoder: Decoder, rows: int, context: int, tokens: int, **how: Any) -> list[list[int]]:
    """Greedy replies of so many equal requests together."""
    batch = BatchDecoder(decoder, slots=rows, **how)
    prompt = columns_of(context, decoder.model)
    said: dict[int, list[int]] = {}
    for part in batch.stream(Request(prompt, greedy(tokens)) for _ in range(rows)):
        said.setdefault(part.request, []).extend(part.tokens)
    return [said[row] for row in range(rows)]


def logit_error(decoder: Decoder, context: int, n: int) -> float:
    """Largest difference of the graph's logits after n tokens from one forward over all columns."""
    prompt = columns_of(context, decoder.model)
    batch = BatchDecoder(decoder, slots=1, check_every=1)
    batch.submit(Request(prompt, greedy(n + 1)))
    said: list[int] = []
    while len(said) < n:
        said += [token for part in batch.step() for token in part.tokens]
    start = collate([prompt]).to(decoder.device)
    cache = decoder.prefill(start, decoder.model.new_cache(1), mask="block_causal").cache
    assert cache is not None
    ids = torch.tensor([said], device=decoder.device)
    fed = code_columns(ids, start.response_start)
    full = decoder.prefill(fed, cache, mask="block_causal").logits[0, -1]
    return float((batch._state.logits[0] - full).abs().max())


def speed(decoder: Decoder, rows: int, context: int, tokens: int, *, static: bool) -> float:
    """Tokens per second of so many replies in flight."""
    batch = BatchDecoder(decoder, slots=rows, static=static)
    prompt = columns_of(context, decoder.model)
    for _ in range(rows):
        batch.submit(Request(prompt, greedy(10 * tokens)))
    for _ in range(3):  # prompts, capture
        batch.step()
    times = []
    for _ in range(max(3, tokens // 8)):
        torch.cuda.synchronize()
        start = time.perf_counter()
        given = sum(len(part.tokens) for part in batch.step())
        times.append((time.perf_counter() - start) / given)
    return 1 / statistics.median(times)


def read_bandwidth() -> float:
    """GB/s at which the device reads its memory (a sum over fp32, median)."""
    values = torch.ones(2**28, device="cuda")

    def run() -> None:
        values.sum()
        torch.cuda.synchronize()

    return values.nbytes / 1e9 / statistics.median(machine.seconds(run, repeats=9))


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Gates, then speeds."""
    torch.manual_seed(0)
    config = S1Config() if args.full_size else S1Config(hidden_dim=64, n_head=4, n_layer=2)
    model = SemanticGPT(config).eval().cuda()
    exact = Decoder(model, precision="fp32")
    errors = {str(n): logit_error(exact, 60, n) for n in args.gates}
    eager = list(generate(exact, columns_of(200, model), greedy(64)))
    same = {str(n): all(r == eager for r in replies(exact, n, 200, 64)) for n in (1, 2, 7, 16)}
    bandwidth = read_bandwidth()
    speeds: dict[str, Any] = {}
    for precision in args.precisions:
        decoder = Decoder(model, precision=precision)
        for rows in args.batch:
            found = {
                name: speed(decoder, rows, args.context, args.tokens, static=static)
                for name, static in (("eager", False), ("graph", True))
            }
            read = token_bytes(
                model, precision, args.context * rows, rest=4 if precision == "fp32" else 2
            )
            share = read / 1e9 * found["graph"] / rows / bandwidth
            speeds.setdefault(precision, {})[str(rows)] = {
                "eager_tokens_per_s": round(found["eager"]),
                "graph_tokens_per_s": round(found["graph"]),
                "bandwidth_share": round(share, 3),
            }
    best = speeds[args.precisions[-1]]
    return {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "full_size": args.full_size,
        "context": args.context,
        "read_gb_per_s": round(bandwidth),
        "logit_errors": errors,
        "greedy_tokens_equal": same,
        "speeds": speeds,
        "peak_memory_mb": round(torch.cuda.max_memory_allocated() / 1e6),
        "accepted": {
            f"logit_errors < {GATE:g}": max(errors.values()) < GATE,
            "greedy_tokens_equal": all(same.values()),
        }
        | {
            f"batch {rows} >= {limit:g} tokens/s": best[rows]["graph_tokens_per_s"] >= limit
            for rows, limit in LIMITS.items()
            if rows in best
        },
    }


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="24 layers of width 512")
    parser.add_argument("--context", type=int, default=500, help="columns before the reply")
    parser.add_argument("--tokens", type=int, default=200, help="tokens measured per row")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--gates", type=int, nargs="+", default=[1, 17, 255, 256, 257, 1000])
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print(json.dumps({"error": "no CUDA device on this machine; nothing was measured"}))
        return 1
    report = measure(args)
    if not args.json:
        for precision, found in report["speeds"].items():
            print(f"{precision}: {found}")
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
