"""Has stage 1 learnt its training responses by heart? Teacher-forced accuracy, and greedy replies.

    python -m GPT_SoVITS.evaluation.reproduction --model runs/x/talker --data data/x --split train

The first check of a training that should overfit: a few dialogues, no dropout. Greedy decoding
starts from the history and the response's text (top-k 1, no repetition penalty, no EOS guard); a
response counts as reproduced when every token and the end are right.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from GPT_SoVITS.checkpoints.format import load_s1
from GPT_SoVITS.dialogue.history import sequence_of
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, read_s1
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.loss import semantic_loss
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions

log = logging.getLogger(__name__)
SPARE_TOKENS = 8
"""A reply may run this far past its true end, so that a missed end is seen."""


@dataclass(frozen=True)
class Reproduction:
    """What was found over all targets of a split."""

    n_responses: int
    n_tokens: int
    top1: float
    """share of tokens (EOS included) that are the likeliest, the true ones before them given"""
    loss: float
    """nats per token"""
    n_reproduced: int
    """responses whose greedy reply is exactly right, its end included"""

    @property
    def share_reproduced(self) -> float:
        """Of all responses."""
        return self.n_reproduced / self.n_responses


def measure(
    model: SemanticGPT, dialogues: Sequence[S1Record], layout: LayoutConfig
) -> Reproduction:
    """Score every target of the dialogues after its own history. Raises `ValueError`."""
    model.eval()
    loss, right, n_tokens, same, n = 0.0, 0.0, 0, 0, 0
    for dialogue in dialogues:
        turns = [turn.encoded() for turn in dialogue.turns]
        for target in dialogue.targets:
            codes = turns[target].codes
            whole = sequence_of(turns, target, layout)
            batch = collate([whole.columns()])
            with torch.inference_mode():
                out = semantic_loss(model(batch, mask=layout.mask), batch.target)
            loss += float(out.loss)
            right += float(out.top1 * out.n_tokens)
            n_tokens += int(out.n_tokens)
            prompt = sequence_of(turns, target, layout, include_response_codes=False)
            options = SamplingOptions(
                top_k=1,
                repetition_penalty=1.0,
                eos_guard=0,
                max_tokens=len(codes) + SPARE_TOKENS,
            )
            reply = list(generate(model, prompt.columns(), options, mask=layout.mask))
            same += reply == codes.tolist()
            n += 1
    if not n:
        raise ValueError("no target to score; the manifest is empty")
    return Reproduction(n, n_tokens, right / n_tokens, loss / n_tokens, same)


def main(arguments: list[str] | None = None) -> None:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a talker folder or s1 file")
    parser.add_argument("--data", type=Path, required=True, help="prepared data, data/<name>")
    parser.add_argument("--split", choices=["train", "valid"], default="train")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = options.model / "s1.safetensors" if options.model.is_dir() else options.model
    model, header = load_s1(path)
    manifest = options.data / "5_sequences" / f"s1_{options.split}.jsonl"
    layout = LayoutConfig(**{**header.layout, "loss_on": "response"})
    result = measure(model, list(read_s1(manifest)), layout)
    log.info(
        "teacher-forced top-1 %.4f over %d tokens; greedy decoding reproduces %d of %d responses",
        result.top1,
        result.n_tokens,
        result.n_reproduced,
        result.n_responses,
    )
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main()
