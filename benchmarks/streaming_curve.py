"""What a stream loses to the whole decode:
`python -m benchmarks.streaming_curve --talker DIR --data DIR`.

Recorded turns of a prepared corpus (their own tokens and phonemes) are rendered whole and in chunks
of one size, each chunk `look-ahead` tokens late. Two effects, kept apart by a third rendering, one
pass of flow and generator over the latents the stream froze:

    field   chunks  <-> one pass     right context shorter than the receptive field
    prior   one pass <-> whole       tokens behind the look-ahead, which the prior encoder did not
                                     hear when a latent was frozen
    total   chunks  <-> whole

and, to compare with, `other_noise`: two whole decodes that differ in the noise's seed alone. Each
as mel L1 (128 bands, natural log) and MCD (dB, order 13, frame by frame). `seam_db` is the
energy above 4 kHz within 2 ms of a seam against the whole decode's at the same places (median):
above 0 is a click. `step_db` is the level within 20 ms behind a seam against before it, less the
whole decode's step (mean of the absolute). The last line is a JSON object; `--figure` draws it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GPT_SoVITS.audio.constants import SAMPLE_RATE, SAMPLES_PER_TOKEN
from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.audio.spectrogram import linear_spectrogram, mel_spectrogram
from GPT_SoVITS.checkpoints import load_s2
from GPT_SoVITS.evaluation.metrics.spectrum import DB, mel_cepstra
from GPT_SoVITS.inference.options import GenerationOptions
from GPT_SoVITS.inference.rendering import render_stream
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.s2_vits.receptive_field import receptive_field
from GPT_SoVITS.s2_vits.streaming import ReplyRenderer

LOOKAHEADS = (1, 2, 4, 6, 8, 12, 16, 22, 32, 50)
CHUNKS = (6, 12, 25, 50)
EFFECTS = ("field", "prior", "total")


def turns(data: Path, count: int) -> list[dict[str, Any]]:
    """The longest turns of the held-out set, none longer than 12 s."""
    path = data / "5_sequences" / "s2_valid.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(row["codes"]) <= 300]
    return sorted(rows, key=lambda row: -len(row["codes"]))[:count]


def start(
    model: ConversationalVITS, turn: dict[str, Any], data: Path, *, seed: int = 0
) -> ReplyRenderer:
    """A reply in the turn's own voice; the same noise every time."""
    wave = torch.from_numpy(load_audio(data / turn["audio"], max_seconds=30.0))[None]
    return model.start_reply(
        torch.tensor([turn["phonemes"]]),
        [linear_spectrogram(wave)],
        generator=torch.Generator().manual_seed(seed),
    )


@torch.inference_mode()
def one_pass(model: ConversationalVITS, reply: ReplyRenderer) -> np.ndarray:
    """Flow and generator over all frozen latents."""
    mask = reply.latents.new_ones(1, 1, reply.latents.shape[2])
    z = model.flow(reply.latents, mask, reply.condition, reverse=True)
    return model.generator(z, reply.condition)[0, 0].numpy()


def difference(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """Mel L1 and MCD in dB of two waves of one length."""
    mels = [mel_spectrogram(torch.from_numpy(wave)[None]) for wave in (one, two)]
    cepstra = [mel_cepstra(wave, sample_rate=SAMPLE_RATE) for wave in (one, two)]
    mcd = DB * np.sqrt(((cepstra[0] - cepstra[1]) ** 2).sum(1)).mean()
    return float((mels[0] - mels[1]).abs().mean()), float(mcd)


def seams(
    sound: np.ndarray, whole: np.ndarray, places: list[int]
) -> tuple[list[float], list[float]]:
    """Per seam: high-frequency energy against the whole's, and the step in level beside it."""
    from scipy.signal import butter, sosfiltfilt

    high = butter(4, 4000, "highpass", fs=SAMPLE_RATE, output="sos")
    bright = [sosfiltfilt(high, wave) for wave in (sound, whole)]
    clicks, steps = [], []
    for at in places:
        near, side = slice(at - 64, at + 64), 640
        energy = [float(np.square(wave[near]).mean()) + 1e-9 for wave in bright]
        clicks.append(10 * np.log10(energy[0] / energy[1]))
        levels = [
            [float(np.square(wave[part]).mean()) + 1e-7 for part in
             (slice(at - side, at), slice(at, at + side))]
            for wave in (sound, whole)
        ]  # fmt: skip
        step = [10 * np.log10(after / before) for before, after in levels]
        steps.append(abs(step[0] - step[1]))
    return clicks, steps


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Every chunk size with every look-ahead."""
    model, _ = load_s2(args.talker / "s2.safetensors")
    model = model.eval()
    chosen = turns(args.data, args.turns)
    wholes, others = [], []
    for turn in chosen:
        for seed, kept in ((0, wholes), (1, others)):
            reply = start(model, turn, args.data, seed=seed)
            reply.extend(turn["codes"])
            kept.append(reply.render().samples.numpy())
    noise = np.mean([difference(*pair) for pair in zip(wholes, others)], axis=0)
    seconds = sum(len(w) for w in wholes) / SAMPLE_RATE
    rows = []
    for chunk in args.chunks:
        for lookahead in args.lookaheads:
            options = replace(
                GenerationOptions(),
                first_chunk_tokens=chunk,
                chunk_tokens=chunk,
                lookahead_tokens=lookahead,
            )
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in EFFECTS}
            clicks: list[float] = []
            steps: list[float] = []
            for turn, whole in zip(chosen, wholes):
                reply = start(model, turn, args.data)
                pieces = list(render_stream(reply, turn["codes"], options))
                sound = np.concatenate([samples for _, samples, _ in pieces])
                passed = one_pass(model, reply)
                for name, pair in zip(EFFECTS, ((sound, passed), (passed, whole), (sound, whole))):
                    found[name].append(difference(*pair))
                ends = np.cumsum([len(codes) for codes, _, _ in pieces])[:-1] * SAMPLES_PER_TOKEN
                c, s = seams(sound, whole, [int(e) for e in ends if 640 <= e <= len(sound) - 640])
                clicks, steps = clicks + c, steps + s
            row: dict[str, Any] = {"chunk_tokens": chunk, "lookahead_tokens": lookahead}
            for name in EFFECTS:
                l1, mcd = np.mean(found[name], axis=0)
                row[name] = {"mel_l1": round(float(l1), 4), "mcd_db": round(float(mcd), 3)}
            if clicks:
                row["seam_db"] = round(float(np.median(clicks)), 2)
                row["step_db"] = round(float(np.mean(steps)), 2)
            rows.append(row)
            if not args.json:
                print(json.dumps(row), flush=True)
    return {
        "turns": len(chosen),
        "seconds": round(seconds, 1),
        "field_frames": receptive_field(model.config).right,
        "other_noise": {"mel_l1": round(float(noise[0]), 4), "mcd_db": round(float(noise[1]), 3)},
        "rows": rows,
    }


def draw(report: dict[str, Any], path: Path) -> None:
    """Total and prior effect against look-ahead, a line per chunk size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for axis, key, unit in zip(axes, ("mel_l1", "mcd_db"), ("mel L1", "MCD (dB)")):
        for chunk in sorted({row["chunk_tokens"] for row in report["rows"]}):
            rows = [row for row in report["rows"] if row["chunk_tokens"] == chunk]
            x = [row["lookahead_tokens"] for row in rows]
            line = axis.plot(x, [row["total"][key] for row in rows], "o-", ms=3, label=str(chunk))
            colour = line[0].get_color()
            axis.plot(x, [row["prior"][key] for row in rows], ":", color=colour)
        axis.axvline(GenerationOptions().lookahead_tokens, color="0.7", lw=1)
        axis.set_xscale("log", base=2)
        axis.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
        axis.set_xlabel("look-ahead (tokens of 40 ms)")
        axis.set_ylabel(f"{unit} to the whole decode")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
    axes[1].legend(title="tokens per chunk", loc="upper right")
    figure.suptitle("Solid: the stream. Dotted: the prior's share. Grey: the default", fontsize=9)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Parse, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--talker", type=Path, required=True, help="folder with s2.safetensors")
    parser.add_argument(
        "--data", type=Path, required=True, help="prepared corpus, the talker's own"
    )
    parser.add_argument("--turns", type=int, default=8, help="longest held-out turns")
    parser.add_argument("--lookaheads", type=int, nargs="+", default=LOOKAHEADS)
    parser.add_argument("--chunks", type=int, nargs="+", default=CHUNKS)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--figure", type=Path, help="PNG of the curve")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = measure(args)
    if args.figure:
        draw(report, args.figure)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
