"""How fast is each step of the preparation, and how much of it is the model?

    python -m benchmarks.prepare [--dialogues 16] [--workers 1]

Speaks a demo corpus (not counted), prepares it from nothing, and prints a table of turns/s, times
real time and the share of the time spent in the models: phonemes (step 2), content features
(step 3), statistics and quantizer (step 4). The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from GPT_SoVITS.features.encode import TurnEncoder
from GPT_SoVITS.text import Frontend
from prepare_datasets import (
    step1_dialogues,
    step2_text,
    step3_speech,
    step4_semantic,
    step5_sequences,
)
from prepare_datasets.command import read_config
from prepare_datasets.demo_corpus import CorpusPlan, write_corpus
from prepare_datasets.jsonl import read_jsonl

# What counts as the model of each step.
MODELS: list[tuple[Any, str, str]] = [
    (Frontend, "__call__", "step2"),
    (TurnEncoder, "raw_many", "step3 features"),
    (TurnEncoder, "advance", "step4"),
    (TurnEncoder, "tokens", "step4"),
    (step4_semantic, "fit_tokenizer", "step4"),
]


class Stopwatch:
    """Seconds by name, and how often."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count the time of the block."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start

    def timed(self, name: str, key: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted under `name`, its calls under `key`."""

        def call(*arguments: Any, **options: Any) -> Any:
            turns = key == "raw_many"  # of which there are several in a call
            self.calls[key] += len(arguments[1]) if turns else 1
            with self.measure(name):
                return function(*arguments, **options)

        return call


def benchmark(folder: Path, dialogues: int, workers: int) -> dict[str, Any]:
    """One run over a fresh corpus."""
    write_corpus(folder / "raw", CorpusPlan(dialogues=dialogues))
    options = ["--config", "configs/data/demo_tiny.yaml", "--workers", str(workers)]
    config = read_config([*options, "--raw", str(folder / "raw"), "--output", str(folder / "out")])
    whole, inside = Stopwatch(), Stopwatch()
    with whole.measure("dictionaries"):
        step2_text.frontend(config.text)(
            "Hello, 你好。", "auto"
        )  # loaded once, whatever the corpus
    loading = whole.seconds.pop("dictionaries")
    steps: dict[str, Callable[[Any], object]] = {
        "step1": step1_dialogues.run,
        "step2": step2_text.run,
        "step3 audio": step3_speech.run_audio,
        "step3 features": step3_speech.run_features,
        "step4": step4_semantic.run,
        "step5": step5_sequences.run,
    }
    with ExitStack() as stack:
        for owner, name, step in MODELS:
            timed = inside.timed(step, name, getattr(owner, name))
            method = (lambda f: lambda *a, **o: f(*a, **o))(timed)  # binds like a function
            stack.enter_context(mock.patch.object(owner, name, method))
        for step, run in steps.items():
            with whole.measure(step):
                run(config)
    sounds = list(read_jsonl(config.folder / "3_speech" / "turns.jsonl"))
    computed = inside.calls["raw_many"] / len(sounds)
    return {
        "turns": len(sounds),
        "seconds_of_speech": round(sum(one["seconds"] for one in sounds), 1),
        "workers": workers,
        "seconds_to_load_dictionaries": round(loading, 2),
        "features_computed_per_turn": computed if workers == 1 else None,
        "steps": {
            step: _figures(step, seconds, inside, sounds, workers)
            for step, seconds in whole.seconds.items()
        },
    }


def _figures(
    step: str, seconds: float, inside: Stopwatch, sounds: list[dict], workers: int
) -> dict[str, float | None]:
    """What happens inside other processes is not seen from here."""
    speech = sum(one["seconds"] for one in sounds)
    return {
        "seconds": round(seconds, 3),
        "turns_per_second": round(len(sounds) / seconds, 1),
        "times_real_time": round(speech / seconds, 1),
        "share_in_model": round(inside.seconds[step] / seconds, 3) if workers == 1 else None,
    }


def main() -> None:
    """Print the table and the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1)
    values = parser.parse_args()
    logging.getLogger("prepare_datasets").setLevel(logging.WARNING)
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = benchmark(Path(folder), values.dialogues, values.workers)
    print(f"{'step':16}{'seconds':>10}{'turns/s':>10}{'x real time':>13}{'in model':>10}")
    for step, one in result["steps"].items():
        share = "" if one["share_in_model"] is None else f"{one['share_in_model']:.0%}"
        figures = f"{one['seconds']:10.2f}{one['turns_per_second']:10.1f}"
        print(f"{step:16}{figures}{one['times_real_time']:13.1f}{share:>10}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
