"""Training steps against a competent plain loop: `python -m benchmarks.train_step [--stage s1]`.

Both sides see the same samples of a prepared corpus, the same weights, dropout 0, the same
optimiser and threads, in turns (ours, plain, ours, …); medians are compared. The plain loop is what
a careful engineer writes first:

    s1   as many batches of the same samples in random order, padded to the longest, one attention
         mask, cross-entropy over all columns, fused AdamW
    s2   as many batches of the same turns in random order, padded to the longest; discriminators as
         published, called for real and for fake in both halves of the step; fused AdamW

The last line is a JSON object; `loss_difference` is relative, before the first update, on the same
samples (s1: all of them; s2: one batch, which both sides are given). On a GPU `mfu` is stage 1's
share of the peak (benchmarks/mfu.py): --published --bf16 --columns 65536.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.mfu import step_flops, utilisation
from GPT_SoVITS.audio.spectrogram import mel_from_linear, mel_spectrogram
from GPT_SoVITS.dialogue.history import HistoryDropout
from GPT_SoVITS.dialogue.layout import IGNORE, LayoutConfig
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s2_vits.batch import slice_frames
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.losses import (
    discriminator_loss,
    generator_loss,
    kl_loss,
    mel_loss,
)
from GPT_SoVITS.training.prepared import PreparedData
from GPT_SoVITS.training.s1_data import S1Dataset
from GPT_SoVITS.training.s1_module import S1Module, S1OptimizerConfig
from GPT_SoVITS.training.s2_batch import slice_samples, with_spectrograms
from GPT_SoVITS.training.s2_data import S2BatchConfig, S2Dataset, collate_turns
from GPT_SoVITS.training.s2_module import S2Module, S2OptimizerConfig
from GPT_SoVITS.training.samplers import epoch_batches

Step = Callable[[], float]
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
S1_SIZES: dict[str, Any] = {"hidden_dim": 192, "n_head": 4, "n_layer": 4}
S2_SIZES: dict[str, Any] = {"upsample_initial_channel": 128, "resblock_kernel_sizes": (3, 7)}
S2_SIZES |= {"resblock_dilations": (1, 3), "segment_frames": 20, "p_dropout": 0.0}


def measure_s1(args: argparse.Namespace) -> dict[str, Any]:
    """A stretch of the corpus in our batches, and the same samples in as many plain ones."""
    data = PreparedData(args.data)
    dataset = S1Dataset(data.manifest("s1", "train"), LayoutConfig(), dropout=HistoryDropout())
    lengths = dataset.lengths(0)
    cut = epoch_batches(lengths, budget=args.columns, max_batch=16, seed=0, epoch=0)
    batches = cut[: args.steps]
    samples = np.random.default_rng(0).permutation(np.concatenate(batches))
    plain = [part.tolist() for part in np.array_split(samples, len(batches))]
    ours, loading = read(lambda: [collate([dataset[0, i] for i in batch]) for batch in batches])
    theirs = [collate([dataset[0, i] for i in batch]) for batch in plain]
    sizes = {} if args.published else S1_SIZES
    config = S1Config(dropout=0.0, phoneme_vocab_size=int(data.meta["n_symbols"]), **sizes)
    module = S1Module(
        config, S1OptimizerConfig(lr=1e-4), mask="block_causal", total_steps=1000, seed=0
    )
    module = module.to(DEVICE)
    ours, theirs = ([b.to(DEVICE) for b in side] for side in (ours, theirs))
    twin = copy.deepcopy(module.model)
    with torch.no_grad():
        sums = [sum(float(module.loss(b)[1].loss) for b in part) for part in (ours, theirs)]
    times = in_turns(
        s1_ours(module, ours, args.bf16), s1_plain(twin, theirs, args.bf16), args.repeats
    )
    padding = [
        1 - float(sum(b.valid.sum() for b in p) / sum(b.valid.numel() for b in p))
        for p in (ours, theirs)
    ]
    found = compared(times, loading) | {
        "loss_difference": abs(sums[0] / sums[1] - 1),
        "padding": [round(x, 4) for x in padding],
        "samples": len(samples),
    }
    if DEVICE.type == "cuda":
        flops = step_flops(module.model, ours)
        found["mfu"] = utilisation(flops, found["ours_s"], torch.cuda.get_device_name())
    return found


def s1_ours(module: S1Module, batches: list[ColumnBatch], bf16: bool) -> Step:
    """One pass over our batches by the trainer's module."""
    optimizer = module.configure_optimizers()["optimizer"]

    def run() -> None:
        for batch in batches:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
                loss, _ = module.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()

    return timed(run)


def s1_plain(model: torch.nn.Module, batches: list[ColumnBatch], bf16: bool) -> Step:
    """One pass over padded batches by a plain loop."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), fused=True)

    def run() -> None:
        for batch in batches:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
                logits = model(batch)
            flat = logits.float().flatten(0, 1)
            loss = F.cross_entropy(flat, batch.target.flatten(), ignore_index=IGNORE)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return timed(run)


def measure_s2(args: argparse.Namespace) -> dict[str, Any]:
    """A stretch of the corpus in our batches, and the same turns in as many plain ones."""
    data = PreparedData(args.data)
    config = S2BatchConfig(max_frames=args.frames, max_turns=args.turns)
    dataset = S2Dataset(data, "train", config, history_turns=2)
    lengths = dataset.lengths
    cut = epoch_batches(lengths, budget=args.frames, max_batch=args.turns, seed=0, epoch=0)
    batches = cut[: args.steps]
    turns = np.random.default_rng(0).permutation(np.concatenate(batches))
    plain = [part.tolist() for part in np.array_split(turns, len(batches))]
    ours, loading = read(
        lambda: [collate_turns([dataset[0, i] for i in batch]) for batch in batches]
    )
    theirs = [collate_turns([dataset[0, i] for i in batch]) for batch in plain]
    optimizer = S2OptimizerConfig(discriminator_width=1.0 if args.published else 0.125)
    sizes = {} if args.published else S2_SIZES
    torch.manual_seed(0)
    module = S2Module(S2Config(n_symbols=int(data.meta["n_symbols"]), **sizes), optimizer, seed=0)
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):  # the reference encoder has its own
            part.p = 0.0
    module = module.to(DEVICE)
    ours, theirs = ([b.to(DEVICE) for b in side] for side in (ours, theirs))
    twin = copy.deepcopy(module)
    losses: list[list[float]] = [[], []]
    step, plain_step = (
        s2_ours(module, losses[0], args.bf16),
        s2_plain(twin, losses[1], args.bf16),
    )
    step(ours[0]), plain_step(ours[0])  # one and the same batch, from the same weights
    times = in_turns(
        timed(lambda: [step(batch) for batch in ours]),
        timed(lambda: [plain_step(batch) for batch in theirs]),
        args.repeats,
    )
    padding = [
        1
        - float(sum(b.spectrogram_lengths.sum() * 640 for b in side))
        / sum(b.spectrogram.numel() for b in side)
        for side in (ours, theirs)
    ]
    return compared(times, loading) | {
        "loss_difference": abs(losses[0][0] / losses[1][0] - 1),
        "padding": [round(x, 4) for x in padding],
        "samples": len(turns),
    }


def s2_ours(module: Any, losses: list[float], bf16: bool) -> Callable[[Any], None]:
    """The trainer's own step, without the trainer."""
    optimizers = module.configure_optimizers()
    module.optimizers = lambda: optimizers
    module.manual_backward = lambda loss: loss.backward()
    module.log = lambda *a, **k: None
    module.log_dict = lambda v: losses.append(float(v["train/loss"]))

    def step(batch: Any) -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
            module.training_step(batch, 0)

    return step


def s2_plain(module: S2Module, losses: list[float], bf16: bool) -> Callable[[Any], None]:
    """The published order of a step, written down."""
    model, c = module.model, module.optimizer_config
    options: Any = {"lr": c.lr, "betas": c.betas, "eps": c.eps, "fused": True}
    opt_g = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], **options)
    opt_d = torch.optim.AdamW(module.discriminator.parameters(), **options)

    def judge(wave: torch.Tensor) -> list[Any]:
        return [plain_judgement(one, wave) for one in module.discriminator.discriminators]

    def step(batch: Any) -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=bf16):
            b = with_spectrograms(batch)
            noise, starts = module._drawn(b)
            out = model(b, noise=noise, starts=starts)
            frames = out.wave.shape[2] // 640
            assert b.wave is not None
            real = slice_samples(b.wave, starts, frames)
            target = slice_frames(mel_from_linear(b.spectrogram), starts, frames)
            mel = mel_loss(target, mel_spectrogram(out.wave[:, 0]))
            kl = kl_loss(out.z_p, out.log_q, out.mean_p, out.log_p, out.mask)
            d_loss = discriminator_loss(judge(real), judge(out.wave.detach()))
            opt_d.zero_grad()
            d_loss.backward()
            opt_d.step()
            true, fake = judge(real), judge(out.wave)
            feature = [
                (r.detach().float() - f.float()).abs().mean()
                for (_, reals), (_, fakes) in zip(true, fake)
                for r, f in zip(reals, fakes)
            ]
            loss = c.mel_weight * mel + c.kl_weight * kl
            loss = loss + generator_loss(fake) + 2 * torch.stack(feature).sum()
            opt_g.zero_grad()
            loss.backward()
            opt_g.step()
        module.step_count += 1
        losses.append(float(loss.detach()))

    return step


def plain_judgement(judge: Any, wave: torch.Tensor) -> Any:
    """A discriminator as published: rows of one period, 2-d convolutions."""
    x, maps = wave, []
    if period := getattr(judge, "period", 0):
        if rest := x.shape[2] % period:
            x = F.pad(x, (0, period - rest), "reflect")
        x = x.view(len(x), 1, -1, period)
    for conv in judge.convs:
        x = F.leaky_relu(conv(x), 0.1)
        maps.append(x)
    maps.append(judge.conv_post(x))
    return maps[-1].flatten(1), maps


def timed(run: Callable[[], Any]) -> Step:
    """Seconds of a call: of the CPU with one thread (other processes do not count), else wall."""
    busy = torch.get_num_threads() == 1 and DEVICE.type == "cpu"
    clock = time.process_time if busy else time.perf_counter

    def step() -> float:
        start = clock()
        run()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        return clock() - start

    return step


def in_turns(ours: Step, plain: Step, repeats: int) -> tuple[list[float], list[float]]:
    """Alternating times after one warm-up each."""
    ours(), plain()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        times[0].append(ours())
        times[1].append(plain())
    return times


def read(batches: Callable[[], list[Any]]) -> tuple[list[Any], float]:
    """All batches of a pass and the seconds it took one process to read them, from cold files."""
    made: list[Any] = []
    seconds = timed(lambda: made.extend(batches()))()
    return made, seconds


def compared(times: tuple[list[float], list[float]], loading: float) -> dict[str, Any]:
    """Medians in seconds; how many times quicker our steps are, and a loader than our steps."""
    ours, plain = (statistics.median(side) for side in times)
    ratio = statistics.median(b / a for a, b in zip(*times))
    return {
        "ours_s": round(ours, 4),
        "plain_s": round(plain, 4),
        "speedup": round(ratio, 3),
        "loader_s": round(loading, 4),
        "loader_times_as_quick": round(ours / loading, 1),
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/demo"))
    parser.add_argument("--stage", choices=("s1", "s2"), default="s1")
    parser.add_argument("--steps", type=int, default=8, help="s1: batches in a pass")
    parser.add_argument("--turns", type=int, default=8, help="s2: most turns in a batch")
    parser.add_argument("--frames", type=int, default=1600, help="s2: budget of a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--published", action="store_true", help="published sizes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--columns", type=int, default=4096, help="s1: budget of a batch")
    parser.add_argument("--bf16", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    result = {"s1": measure_s1, "s2": measure_s2}[args.stage](args)
    facts = {"threads": args.threads, "torch": torch.__version__, "bf16": args.bf16}
    print(json.dumps({"stage": args.stage, **facts, **result}))


if __name__ == "__main__":
    main()
