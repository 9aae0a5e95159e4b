"""How much faster is HuBERT on several recordings at once, and are the features the same?

    python -m benchmarks.hubert_batch [--device cpu] [--turns 24] [--batch-seconds 0 15 60]

A network of chinese-hubert-base's size with random weights hears noise of 1 to 8 s. The last line
is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.features.hubert import HubertFeatures


def main() -> None:
    """Print a line per batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--turns", type=int, default=24)
    parser.add_argument("--batch-seconds", type=float, nargs="+", default=[0.0, 15.0, 60.0])
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    seconds = rng.uniform(1, 8, args.turns)
    sounds = [0.1 * rng.standard_normal(int(s * SAMPLE_RATE)).astype(np.float32) for s in seconds]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        _write_model(Path(folder))
        alone = None
        for size in args.batch_seconds:
            model = HubertFeatures(folder, device=args.device, batch_seconds=size)
            model.extract_many(sounds[:2])  # warm
            start = time.perf_counter()
            features = model.extract_many(sounds)
            spent = time.perf_counter() - start
            alone = alone or features
            away = max(float(np.abs(a - b).max()) for a, b in zip(alone, features, strict=True))
            speed = float(seconds.sum()) / spent
            print(
                f"{size:6.0f} s together: {args.turns / spent:6.2f} turns/s, {speed:6.1f} x real "
                f"time, largest difference {away:.1e}"
            )
            found.append({"batch_seconds": size, "x_real_time": round(speed, 2), "max_abs": away})
    print(json.dumps({"device": args.device, "turns": args.turns, "results": found}))


def _write_model(folder: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    transformers.HubertModel(transformers.HubertConfig()).save_pretrained(folder)


if __name__ == "__main__":
    main()
