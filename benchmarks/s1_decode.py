"""Speed of stage 1's decoding on a CPU: `python -m benchmarks.s1_decode --full-size --json`.

At every context length (columns before the reply) these make the same greedy reply in turns:

    cache-free   the network over all columns again for every token (dense attention)
    plain        the published kind of loop: a cache that grows by concatenation, eager, fp32
    fp32 …       ours at each precision

`bandwidth_share` is bytes a token must read (weights and cache) / time / read bandwidth, measured
right before and after each reply (the larger counts); `median` is of all tokens, `quiet` of the
fastest tenth: what others on the machine cost.
`greedy_agreement` and `logit_error` compare a precision with fp32 on the same columns. The last
line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import machine
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import code_columns, collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.decode import Decoder
from GPT_SoVITS.s1_gpt.decode_batch import BatchDecoder, Request
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, sample

QUIET = 0.1
"""The quantile of the times that stands for a machine nobody else uses."""
WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "int8": 1}


def columns_of(n: int, model: SemanticGPT) -> Columns:
    """A prompt of n columns: half a history turn's codes, half text."""
    rng = np.random.default_rng(n)
    text, codes = n // 4, n - n // 4 - 20
    history = EncodedTurn(
        "user", rng.integers(0, model.config.phoneme_vocab_size, text), rng.integers(0, 1024, codes)
    )
    response = EncodedTurn(
        "agent", rng.integers(0, model.config.phoneme_vocab_size, 20), np.zeros(0), turn=1
    )
    layout = LayoutConfig(history_mode="growing")
    return build_sequence([history], response, layout, include_response_codes=False).columns()


def greedy(tokens: int) -> SamplingOptions:
    """A reply of exactly so many tokens."""
    return SamplingOptions(top_k=1, eos_guard=tokens, max_tokens=tokens)


class PlainLoop:
    """What a careful engineer writes first: keys and values per layer, longer by torch.cat."""

    def __init__(self, model: SemanticGPT) -> None:
        self.model = model

    def _layers(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for i, layer in enumerate(self.model.layers):
            size, n, dim = x.shape
            q, k, v = layer.attention.qkv(x).chunk(3, dim=-1)
            q, k, v = (
                t.view(size, n, layer.attention.n_head, -1).transpose(1, 2) for t in (q, k, v)
            )
            if i < len(self.cache):
                k = torch.cat([self.cache[i][0], k], dim=2)
                v = torch.cat([self.cache[i][1], v], dim=2)
                self.cache[i] = (k, v)
            else:
                self.cache.append((k, v))
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            x = layer.norm1(x + layer.attention.out(y.transpose(1, 2).reshape(size, n, dim)))
            x = layer.norm2(x + layer.feed_forward_out(F.relu(layer.feed_forward_in(x))))
        return x

    @torch.inference_mode()
    def tokens(self, prompt: Columns, options: SamplingOptions) -> Iterator[int]:
        """The reply, token by token."""
        batch, self.cache = collate([prompt]), []
        segment, text = batch.segment[0], batch.is_text[0]
        order = torch.arange(len(prompt))
        same = (segment[:, None] == segment) & (text[:, None] | (order <= order[:, None]))
        x = self._layers(self.model.embed(batch), (segment < segment[:, None]) | same)
        said = torch.zeros(0, dtype=torch.long)
        for step in range(options.max_tokens):
            drawn = sample(self.model.head(x[0, -1]), said, options, step=step)
            said = torch.cat([said, torch.tensor([drawn.token])])
            yield drawn.token
            fed = code_columns(said[None, -1:], batch.response_start, offset=step)
            x = self._layers(self.model.embed(fed), None)


def per_token(tokens: Iterator[int]) -> tuple[list[float], list[int]]:
    """Seconds of every token but the first (which waits for the prompt), and the tokens."""
    times, said, before = [], [], 0.0
    for token in tokens:
        now = time.perf_counter()
        if said:
            times.append(now - before)
        said.append(token)
        before = time.perf_counter()
    return times, said


def cache_free(model: SemanticGPT, prompt: Columns, tokens: int) -> list[float]:
    """Seconds of a token when everything is computed again."""
    longer = collate([prompt])

    def forward() -> None:
        with torch.inference_mode():
            model(longer)

    return machine.seconds(forward, repeats=tokens)


def token_bytes(model: SemanticGPT, precision: str, columns: int, *, rest: int = 4) -> float:
    """What one token reads: layers, and at ``rest`` bytes (fp32 on a CPU) the head and the cache of
    so many columns."""
    layers = sum(p.numel() for p in model.layers.parameters())
    c = model.config
    cache = 2 * c.n_layer * c.hidden_dim * columns
    return layers * WEIGHT_BYTES[precision] + (model.head.weight.numel() + cache) * rest


def fidelity(model: SemanticGPT, decoder: Decoder, prompt: Columns, tokens: int) -> dict[str, Any]:
    """Both read fp32's own reply: how often they would say the same, how far logits differ."""
    exact = Decoder(model, precision="fp32")
    start = collate([prompt])
    outputs = [
        one.prefill(start, model.new_cache(1), mask="block_causal") for one in (exact, decoder)
    ]
    caches, logits = [one.cache for one in outputs], outputs[0].logits[:, -1]
    agree, errors = 0, []
    for step in range(tokens):
        fed = code_columns(logits[:, :-1].argmax(-1)[:, None], start.response_start, offset=step)
        (logits, caches[0]), (other, caches[1]) = (
            one.step(fed, cache) for one, cache in zip((exact, decoder), caches)
        )
        agree += int(logits[:, :-1].argmax() == other[:, :-1].argmax())
        errors.append(float((logits - other).std() / logits.std()))
    return {"greedy_agreement": agree / tokens, "logit_error": round(max(errors), 5)}


def batch_speed(decoder: Decoder, rows: int, prompt: Columns, tokens: int) -> float:
    """Tokens per second of so many replies together, prompts excluded."""
    batch = BatchDecoder(decoder, slots=rows)
    for _ in range(rows):
        batch.submit(Request(prompt, greedy(tokens)))
    batch.step()
    start = time.perf_counter()
    while batch.busy:
        batch.step()
    return rows * (tokens - 1) / (time.perf_counter() - start)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All contestants in turns at every context length."""
    torch.manual_seed(0)
    config = S1Config() if args.full_size else S1Config(hidden_dim=64, n_head=4, n_layer=2)
    model = SemanticGPT(config).eval()
    decoders = {p: Decoder(model, precision=p) for p in args.precisions}
    default = Decoder(model, precision="auto").precision
    report: dict[str, Any] = machine.cpu() | {"full_size": args.full_size, "default": default}
    bandwidth = [machine.read_bandwidth()]
    contexts: dict[str, Any] = {}
    for n in args.contexts:
        prompt, options = columns_of(n, model), greedy(args.tokens)
        times: dict[str, list[float]] = {"plain": []} | {p: [] for p in decoders}
        said: dict[str, list[int]] = {}
        shares: dict[str, list[tuple[float, float]]] = {name: [] for name in times}
        for _ in range(args.rounds):
            contestants = {"plain": PlainLoop(model).tokens(prompt, options)}
            contestants |= {p: generate(d, prompt, options) for p, d in decoders.items()}
            for name, tokens in contestants.items():
                before = machine.read_bandwidth()
                spent, said[name] = per_token(tokens)
                times[name] += spent
                bandwidth += [before, machine.read_bandwidth()]
                read = token_bytes(model, bytes_of(name), n + args.tokens // 2) / 1e9
                limit = read / max(bandwidth[-2:])  # what the memory can do at this moment
                rates = limit / statistics.median(spent), limit / float(np.quantile(spent, QUIET))
                shares[name].append(rates)
        times["cache_free"] = cache_free(model, prompt, 2)
        middle = {name: statistics.median(spent) for name, spent in times.items()}
        quiet = {name: float(np.quantile(spent, QUIET)) for name, spent in times.items()}
        contexts[str(n)] = {
            name: row(name, middle, quiet, shares.get(name, ())) for name in middle
        } | {"fp32_says_what_plain_says": said.get("fp32") == said["plain"]}
    first = columns_of(args.contexts[0], model)
    report["fidelity"] = {
        p: fidelity(model, d, first, args.fidelity_tokens)
        for p, d in decoders.items()
        if p != "fp32"
    }
    if args.batch and default in decoders:
        report["batch_tokens_per_s"] = {
            str(rows): round(batch_speed(decoders[default], rows, first, args.tokens), 1)
            for rows in args.batch
        }
    bandwidth.append(machine.read_bandwidth())
    report |= {
        "read_gb_per_s": [round(b, 1) for b in bandwidth],
        "noisy": machine.noisy(min(bandwidth), max(bandwidth)),
        "peak_memory_mb": round(machine.peak_memory()),
        "contexts": contexts,
    }
    return report


def bytes_of(name: str) -> str:
    """The precision a contestant reads its weights at."""
    return name if name in WEIGHT_BYTES else "fp32"


def row(
    name: str,
    middle: dict[str, float],
    quiet: dict[str, float],
    shares: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """One contestant at one context length: by the median, and by what it does undisturbed."""
    found: dict[str, Any] = {"tokens_per_s": round(1 / middle[name], 1)}
    for place, (label, spent) in enumerate((("median", middle), ("quiet", quiet))):
        one = {
            "ms_per_token": round(1000 * spent[name], 3),
            "times_plain": round(spent["plain"] / spent[name], 2),
            "times_cache_free": round(spent["cache_free"] / spent[name], 1),
        }
        if shares:
            one["bandwidth_share"] = round(statistics.median(s[place] for s in shares), 3)
        found[label] = one
    return found


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="24 layers of width 512")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--tokens", type=int, default=24, help="tokens of a reply")
    parser.add_argument("--rounds", type=int, default=2, help="replies of each contestant")
    parser.add_argument("--contexts", type=int, nargs="+", default=[200, 500, 1000, 2000])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"], help="of ours")
    parser.add_argument("--fidelity-tokens", type=int, default=100)
    parser.add_argument("--batch", type=int, nargs="*", default=[4, 16], help="replies at once")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = measure(args)
    if not args.json:
        for n, found in report["contexts"].items():
            print(f"context {n}: {found}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
