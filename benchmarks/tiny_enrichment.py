"""Is stage 2 of the bundled model better for hearing the conversation?

    python -m benchmarks.tiny_enrichment

The controlled benchmark's question (`evaluation/benchmark/enrichment.py`) put to a stage 2 that is
understood: tokens of held-out recordings, a reference in a third style, history's style and text on
and off, the true history against another dialogue's. Its last line is a JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from benchmarks.tiny_speech import unseen_items
from GPT_SoVITS.dialogue.manifest import read_s1
from GPT_SoVITS.evaluation.benchmark.conditions import donors
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import read_rule
from GPT_SoVITS.evaluation.benchmark.enrichment import MEASURES, score_enrichment
from GPT_SoVITS.evaluation.benchmark.exam import Exam
from GPT_SoVITS.evaluation.benchmark.probe import StyleProbe, codebook_of
from GPT_SoVITS.inference.bundled import bundled_model


def exam_of(data: Path) -> Exam:
    """Responses of the validation dialogues whose sentence the training does not have."""
    train = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    items = unseen_items(data, "valid", unlike=data)
    table = codebook_of(data)
    return Exam(items, donors(items, seed=0), read_rule(train), StyleProbe(table), len(table), {})


def main() -> None:
    """Parse, score, print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data/tiny_speech"))
    parser.add_argument("--model", type=Path, default=bundled_model(), help="talker folder")
    parser.add_argument("--output", default="runs/evaluate/tiny_enrichment", help="kept there")
    parser.add_argument("--items", type=int, default=64, help="responses spoken under every arm")
    args = parser.parse_args()
    network = hashlib.sha256((args.model / "s2.safetensors").read_bytes()).hexdigest()[:12]
    output = f"{args.output}/{network}_{args.items}"  # kept figures are of this network alone
    config = BenchmarkConfig(data=str(args.data), output=output, audio_items=args.items)
    found = score_enrichment(config, 0, exam_of(args.data), args.model)
    for kind in ("arms", "pairs"):
        for name, measures in found[kind].items():
            row = [measures[m] for m in MEASURES if m in measures]
            shown = "  ".join(f"{v['mean']:7.3f} [{v['low']:.3f}, {v['high']:.3f}]" for v in row)
            print(f"{name:30s} {shown}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
