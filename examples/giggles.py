"""Teach a trained talker a tag and measure it: `python -m examples.giggles`.

    demo dialogues, half of the turns with five bursts and <GIGGLES> -> five steps, base's tokenizer
    -> LoRA and the tag's new row in s2 and in s1
    -> held-out sentences with and without the tag: is the event there?
    -> can its tokens express it at all?  has untagged speech changed? -> report.md, sounds/

Needs the talker of `make demo` (or --base). A stage that ran with the same command is reused, and a
killed training goes on where it was; call the command again.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from examples.demo import ROOT, Stage, run_stage
from examples.giggle import TAG, write_tagged_corpus
from examples.giggles_measure import measure
from examples.giggles_report import markdown
from examples.lora_study import Size, begin, write_report

log = logging.getLogger("giggles")
SIZES = {
    "default": Size("giggles", dialogues=240, s2_steps=450, s1_steps=1500, texts=40),
    "tiny": Size("giggles_tiny", dialogues=12, s2_steps=4, s1_steps=4, texts=2),
}


def corpus_stage(size: Size) -> Stage:
    """The dialogues as they are, without events."""
    raw = f"data/{size.name}_plain_raw"
    command = [sys.executable, "-m", "prepare_datasets.demo_corpus", "--output", raw]
    command += ["--first", "2000", "--dialogues", str(size.dialogues)]
    return Stage("plain corpus", command, ROOT / raw)


def stages(size: Size, base: Path) -> list[Stage]:
    """What follows once the events are in."""
    python, name = sys.executable, size.name
    raw, data, run = f"data/{name}_raw", f"data/{name}", f"runs/{name}"
    prepare = [python, "-m", "prepare_datasets", "--config", "configs/data/demo.yaml"]
    prepare += ["--raw", raw, "--output", data, "--name", "giggles", "--sequences.targets", "all"]
    prepare += ["--quantizer.tokenizer", str(base), "--text.tags", json.dumps([TAG])]
    common = ["--data.folder", data, "--run.folder", run, "--run.init_from", str(base)]
    s2 = [python, "train_s2.py", "--config", "configs/s2/lora_tag.yaml", *common]
    s1 = [python, "train_s1.py", "--config", "configs/s1/lora_tag.yaml", *common]
    s2 += ["--lora.name", "giggles", "--trainer.max_steps", str(size.s2_steps)]
    s1 += ["--lora.name", "giggles", "--trainer.max_steps", str(size.s1_steps)]
    configs = ROOT / "configs"
    return [
        Stage("five steps", prepare, ROOT / data / "5_sequences" / "s1_valid.jsonl"),
        Stage("LoRA s2", s2, ROOT / run / "s2_lora/learned.json", (configs / "s2/lora_tag.yaml",)),
        Stage("LoRA s1", s1, ROOT / run / "s1_lora/learned.json", (configs / "s1/lora_tag.yaml",)),
    ]


def main(arguments: list[str] | None = None) -> Path:
    """Run what is not done yet, then write the report."""
    size, base, run = begin(SIZES, arguments, name="giggles", doc=__doc__)
    corpus = corpus_stage(size)
    key, _ = run_stage(corpus, run, before="", fresh=False)
    tagged_raw = ROOT / "data" / f"{size.name}_raw"
    log.info("%d turns have the tag", write_tagged_corpus(corpus.produces, tagged_raw))
    key += (tagged_raw / "tagged.json").read_text(encoding="utf-8")
    for stage in stages(size, base):
        key, _ = run_stage(stage, run, before=key, fresh=False)
    found = measure(base, size)
    return write_report(run, found, markdown(found))


if __name__ == "__main__":
    main()
