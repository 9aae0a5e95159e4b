"""Speed of stage 2 on a CPU: `python -m benchmarks.s2_decode --full-size --json`.

Tokens and phonemes of so many seconds become sound, all at once, in turns:

    plain   the network as it is trained, eager fp32: weight norm and transposed convolutions
    fp32    the vocoder prepared for speaking (GPT_SoVITS/s2_vits/vocoder.py)
    half    the same with bf16 but for its last stages

`gemm_share` is the generator's operations / time / the product of two matrices measured in the same
run and precision (before, after); `convolution_share` has a convolution of 256 channels, channels
last, in place of it: some BLAS are slow on some CPUs. `times_plain_cpu` compares processor time,
which says more than wall time on a machine that is not idle. With `--talker DIR`,
`signal_to_noise_db` and `mel_l1` are those of a trained voice (its clips, resynthesised). The last
line is a JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import machine
from GPT_SoVITS.audio.constants import SAMPLE_RATE, TOKEN_RATE
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.audio.spectrogram import linear_spectrogram, mel_from_linear
from GPT_SoVITS.checkpoints import load_s2
from GPT_SoVITS.checkpoints.talker_folder import CLIPS_FOLDER
from GPT_SoVITS.inference.vocoders import Vocoders, choose_half, has_bf16
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.vocoder import Vocoder

SMALL = S2Config(upsample_initial_channel=128)
PHONEMES_PER_SECOND = 15
Render = Callable[[Tensor, Tensor], Tensor]


def generator_operations(config: S2Config) -> float:
    """Floating-point operations per second of sound, a multiplication and an addition each."""
    width, rate = config.upsample_initial_channel, SAMPLE_RATE // 640
    macs = config.inter_channels * width * 7 * rate
    for factor, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes):
        macs += width * (width // 2) * kernel * rate
        rate, width = rate * factor, width // 2
        blocks = sum(config.resblock_kernel_sizes) * 2 * len(config.resblock_dilations)
        macs += blocks * width * width * rate
    return 2.0 * (macs + width * 7 * rate)


def convolution_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of a convolution like the generator's widest (median)."""
    x = torch.randn(1, 256, 1, 2000).to(dtype).contiguous(memory_format=torch.channels_last)
    w = torch.randn(256, 256, 1, 7).to(dtype).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        spent = machine.seconds(lambda: F.conv2d(x, w, padding=(0, 3)), repeats=7)
    return 2 * 256 * 256 * 7 * 2000 / 1e9 / statistics.median(spent)


def probes() -> dict[str, float]:
    """The limits, now."""
    kinds = {"fp32": torch.float32} | ({"half": torch.bfloat16} if has_bf16() else {})
    return {f"gemm_{name}": machine.gemm_peak(dtype=kind) for name, kind in kinds.items()} | {
        f"convolution_{name}": convolution_peak(kind) for name, kind in kinds.items()
    }


def contestants(model: ConversationalVITS) -> dict[str, Render]:
    """What may stand for the generator on this machine."""
    found: dict[str, Render] = {"plain": model.generator, "fp32": Vocoder(model.generator)}
    return found | ({"half": Vocoder(model.generator, half=True)} if has_bf16() else {})


def timed(run: Callable[[], Any], repeats: int) -> list[tuple[float, float]]:
    """(wall, CPU) seconds of each repeat, after one that is not counted."""
    run()
    times = []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def decode(model: ConversationalVITS, vocoder: Render, seconds: float) -> Callable[[], Tensor]:
    """All of a reply of so many seconds, its reference and text included."""
    n = round(seconds * TOKEN_RATE)
    tape = torch.Generator().manual_seed(0)
    codes = torch.randint(0, model.config.n_codes, (n,), generator=tape).tolist()
    ids = torch.randint(1, 300, (1, round(seconds * PHONEMES_PER_SECOND)), generator=tape)
    reference = torch.rand(1, 1025, 200, generator=tape)

    def run() -> Tensor:
        noise = torch.Generator().manual_seed(1)
        reply = model.start_reply(ids, [reference], generator=noise, vocoder=vocoder)
        reply.extend(codes)
        return reply.render().samples

    return run


def degrees(model: ConversationalVITS) -> dict[str, Render]:
    """The vocoder at fp32, and at half precision with 0 to 3 last stages at fp32."""
    found: dict[str, Render] = {"fp32": Vocoder(model.generator)}
    if has_bf16():
        for n in range(4):
            found[f"half_fine_{n}"] = Vocoder(model.generator, half=True, fine_stages=n)
    return found


@torch.inference_mode()
def fidelity(model: ConversationalVITS, clips: list[np.ndarray]) -> dict[str, Any]:
    """How far each degree of precision is from the generator, on latents of real sound."""
    noise: dict[str, list[float]] = {}
    gaps: dict[str, list[float]] = {}
    for clip in clips:
        spectrogram = linear_spectrogram(torch.from_numpy(clip)[None])
        mask = spectrogram.new_ones(1, 1, spectrogram.shape[2])
        condition = model.condition(spectrogram, mask)
        still = torch.zeros(1, model.config.inter_channels, spectrogram.shape[2])
        z, _, _ = model.posterior_encoder(spectrogram, mask, condition, still)
        exact = model.generator(z, condition)
        for name, render in degrees(model).items():
            wave = render(z, condition)
            ratio = exact.square().sum() / (wave - exact).square().sum().clamp(min=1e-20)
            noise.setdefault(name, []).append(10 * float(ratio.log10()))
            mels = [mel_from_linear(linear_spectrogram(w[0])) for w in (exact, wave)]
            gaps.setdefault(name, []).append(float((mels[0] - mels[1]).abs().mean()))
    return {
        name: {
            "signal_to_noise_db": round(min(noise[name]), 1),
            "mel_l1": round(statistics.mean(gaps[name]), 4),
        }
        for name in noise
    }


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All contestants in turns."""
    torch.manual_seed(0)
    model = ConversationalVITS(S2Config() if args.full_size else SMALL).eval()
    config = model.config
    wide = config.upsample_initial_channel
    half = choose_half("auto", device=torch.device("cpu"), width=wide)
    chosen = Vocoders(model).get("auto")
    default = "plain" if chosen is model.generator else ("half" if half else "fp32")
    runs = {name: decode(model, v, args.seconds) for name, v in contestants(model).items()}
    latents = torch.randn(1, config.inter_channels, round(args.seconds * 2 * TOKEN_RATE))
    condition = torch.randn(1, config.gin_channels, 1)
    whole: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    alone: dict[str, list[float]] = {name: [] for name in runs}
    before = probes()
    for _ in range(args.rounds):
        for name, vocoder in contestants(model).items():
            whole[name] += timed(runs[name], args.repeats)
            with torch.inference_mode():
                alone[name] += machine.seconds(
                    lambda v=vocoder: v(latents, condition),  # type: ignore[misc]
                    repeats=args.repeats,
                )
    after = probes()
    peaks = {name: (value + after[name]) / 2 for name, value in before.items()}
    gflop = generator_operations(config) / 1e9 * args.seconds
    report: dict[str, Any] = machine.cpu() | {
        "full_size": args.full_size,
        "seconds": args.seconds,
        "default": default,
        "generator_gflop_per_s_audio": round(gflop / args.seconds, 2),
        "probes_gflop_per_s": {n: [round(v, 1), round(after[n], 1)] for n, v in before.items()},
        "noisy": any(machine.noisy(v, after[n]) for n, v in before.items()),
    }
    plain = [statistics.median(values) for values in zip(*whole["plain"])]
    generators = statistics.median(alone["plain"])
    for name in runs:
        wall, cpu = (statistics.median(values) for values in zip(*whole[name]))
        own = statistics.median(alone[name])
        kind = "half" if name == "half" else "fp32"
        report[name] = {
            "seconds": round(wall, 3),
            "rtf": round(wall / args.seconds, 4),
            "times_plain": round(plain[0] / wall, 2),
            "times_plain_cpu": round(plain[1] / cpu, 2),
            "generator_seconds": round(own, 3),
            "generator_times_plain": round(generators / own, 2),
            "generator_gflop_per_s": round(gflop / own, 1),
            "gemm_share": round(gflop / own / peaks[f"gemm_{kind}"], 3),
            "convolution_share": round(gflop / own / peaks[f"convolution_{kind}"], 3),
        }
    if args.talker:
        trained, _ = load_s2(args.talker / "s2.safetensors")
        found = sorted((args.talker / CLIPS_FOLDER).iterdir())
        clips = [load_audio(path, max_seconds=30.0) for path in found[:4]]
        report["fidelity"] = fidelity(trained.eval(), clips)
        for name, vocoder in degrees(model).items():
            with torch.inference_mode():
                times = timed(lambda v=vocoder: v(latents, condition), args.repeats)  # type: ignore[misc]
            report["fidelity"][name]["generator_cpu_s"] = round(min(t for _, t in times), 3)
    return report | {"peak_memory_mb": round(machine.peak_memory())}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-size", action="store_true", help="v2's sizes, 512 wide")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--seconds", type=float, default=8.0, help="of sound")
    parser.add_argument("--rounds", type=int, default=3, help="all contestants in turns, so often")
    parser.add_argument("--repeats", type=int, default=2, help="per contestant and round")
    parser.add_argument("--talker", type=Path, help="a trained talker: fidelity of half precision")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = measure(args)
    if not args.json:
        for name in ("plain", "fp32", "half"):
            if name in report:
                print(f"{name}: {report[name]}")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
