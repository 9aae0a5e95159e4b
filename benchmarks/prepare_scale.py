"""Do steps 1 and 5 keep their memory while the corpus grows, and their time per turn?

    python -m benchmarks.prepare_scale --turns 10000 100000 1000000 [--output DIR]

Writes a manifest of so many turns (ten to a dialogue, all of them one tiny recording), runs step 1
on it, writes what steps 2-4 would have written, and runs step 5; each step in a process of its own,
whose peak memory is the figure. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import soundfile

PER_DIALOGUE = 10
SPEAKERS = 776  # NCSSD's
OPTIONS = ["--name", "scale", "--source.corpus", "scale", "--source.reader", "table"]
OPTIONS += ["--source.language", "en", "--feature.kind", "logmel", "--quantizer.n_codes", "16"]


def write_manifest(raw: Path, turns: int) -> None:
    """manifest.jsonl and the recording it names so often."""
    raw.mkdir(parents=True)
    soundfile.write(raw / "one.wav", np.zeros(1600, np.float32), 16000)
    with (raw / "manifest.jsonl").open("w", encoding="utf-8") as file:
        for number in range(turns):
            dialogue, index = divmod(number, PER_DIALOGUE)
            speaker = (dialogue * 2 + index % 2) % SPEAKERS
            row = {"audio": "one.wav", "text": "I would like a salad for dinner.", "index": index}
            row |= {"dialogue": f"d{dialogue}", "speaker": f"s{speaker}", "language": "en"}
            file.write(json.dumps(row) + "\n")


def write_middle(output: Path) -> None:
    """What steps 2 to 4 leave behind for these turns, with a tokenizer fitted on noise."""
    import torch

    from GPT_SoVITS.checkpoints.tokenizer_file import save_tokenizer
    from GPT_SoVITS.features.logmel import LogmelConfig
    from GPT_SoVITS.features.statistics import FeatureStatistics
    from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer

    config = LogmelConfig()
    noise = np.random.default_rng(0).normal(size=(64, config.dim)).astype(np.float32)
    tokenizer = SemanticTokenizer.stacking(config.dim, 16)
    tokenizer.fit(tokenizer.project(torch.from_numpy(noise.T[None].copy()))[0].T, seed=0)
    (output / "4_semantic").mkdir(parents=True)
    save_tokenizer(
        output / "4_semantic" / "tokenizer.safetensors",
        tokenizer,
        feature=config.to_json(),
        statistics=FeatureStatistics(noise.mean(axis=0), noise.std(axis=0)),
    )
    codes = [int(code) for code in np.random.default_rng(1).integers(0, 16, 100)]
    records: dict[str, Callable[[str], dict[str, Any]]] = {
        "2_text/turns.jsonl": lambda i: {"id": i, "ids": list(range(1, 31)), "language": "en"},
        "3_speech/turns.jsonl": lambda i: {
            "id": i,
            "audio": f"3_speech/audio/{i}.flac",
            "n_samples": 128000,
            "seconds": 4.0,
        },
        "3_speech/features/index.jsonl": lambda i: {"id": i, "shard": "one", "shape": [64, 8]},
        "4_semantic/turns.jsonl": lambda i: {"id": i, "codes": codes},
    }
    for name, make in records.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(make(turn)) + "\n" for turn in _ids(output))
        (path.parent / "step.json").write_text('{"fingerprint": "simulated", "items": 0}')


def _ids(output: Path) -> Iterable[str]:
    with (output / "1_dialogues" / "turns.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["id"]


class OneSummary:
    """Stands for the feature shards: every turn sounds alike."""

    def __init__(self, folder: Path) -> None:
        self._point = np.arange(16, dtype=np.float32)

    def read(self, shard: str, name: str) -> np.ndarray:
        """Mean and spread of a turn's features."""
        return self._point


def measured(job: Callable[[], Any]) -> dict[str, float]:
    """Seconds (of the clock, of the processor) and peak memory of a job in its own process."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child() -> None:
        start = time.perf_counter()
        job()
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_SELF)
        queue.put((seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))

    process = context.Process(target=child)
    process.start()
    seconds, cpu, peak = queue.get()
    process.join()
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_rss_mib": round(peak),
    }


def measure(folder: Path, turns: int) -> dict[str, Any]:
    """Steps 1 and 5 on a corpus of so many turns."""
    import torch  # noqa: F401  loaded before the fork: not part of the figures' differences

    from prepare_datasets import step1_dialogues, step5_sequences
    from prepare_datasets.command import read_config

    raw, output = folder / "raw", folder / "out"
    write_manifest(raw, turns)
    config = read_config([*OPTIONS, "--raw", str(raw), "--output", str(output)])
    first = measured(lambda: step1_dialogues.run(config))
    write_middle(output)
    with mock.patch("prepare_datasets.speakers.Shards", OneSummary):
        last = measured(lambda: step5_sequences.run(config))
    for step in (first, last):
        step["cpu_microseconds_per_turn"] = round(1e6 * step["cpu_seconds"] / turns)
    return {"turns": turns, "step1": first, "step5": last}


def main() -> None:
    """Measure each size; print a table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--output", type=Path, help="where to work; default: a temporary folder")
    values = parser.parse_args()
    results = []
    for turns in values.turns:
        with tempfile.TemporaryDirectory(dir=values.output) as folder:
            results.append(measure(Path(folder), turns))
        print(results[-1], flush=True)
    print(json.dumps({"sizes": results}))


if __name__ == "__main__":
    main()
