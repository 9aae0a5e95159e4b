"""Stage 1 in the format of golden/nn: one utterance, and a dialogue of six segments."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from GPT_SoVITS.checkpoints.import_ import convert
from GPT_SoVITS.checkpoints.loading import network_of
from GPT_SoVITS.dialogue.layout import (
    IGNORE,
    Columns,
    EncodedTurn,
    LayoutConfig,
    build_sequence,
)
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.generate import generate
from GPT_SoVITS.s1_gpt.loss import semantic_loss
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.published_loss import older_rule
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from tests.vectors.folder import Vectors

Outputs = dict[str, Tensor]


def network(vectors: Vectors, state: dict[str, Tensor]) -> SemanticGPT:
    """Through the importer, as a file with these weights and sizes would come."""
    sizes = vectors.config.get("model", vectors.config)
    model = {"dropout": 0.0} | {k: v for k, v in sizes.items() if k != "random_bert"}
    content = {"weight": state, "config": {"model": model}}
    return network_of(convert(content, path=vectors.path), path=vectors.path)


def turn(ids, codes=None, bert=None, *, index: int = 0) -> EncodedTurn:
    """Tensors with a leading batch axis of one -> EncodedTurn; bert (1, 1024, X)."""
    flat = np.zeros(0, np.int64) if codes is None else codes.reshape(-1).numpy()
    features = None if bert is None else bert.reshape(1024, -1).T.numpy().copy()
    return EncodedTurn("a", ids.reshape(-1).numpy(), flat, features, index)


def single(ids, codes, bert) -> Columns:
    """[text][codes], or [text] alone; a prompt is the beginning of the codes."""
    one = turn(ids, codes, bert)
    return build_sequence(
        [], one, LayoutConfig(), include_response_codes=codes is not None
    ).columns()


@torch.inference_mode()
def logits_at_targets(
    model: SemanticGPT, columns: Columns, *, mask: str = "block_causal"
) -> Tensor:
    """-> (1, targets, V)"""
    wanted = torch.from_numpy(columns.target != IGNORE)
    return model(collate([columns]), mask=mask)[:, wanted]


def greedy(model: SemanticGPT, ids, prompt, bert, *, penalty: float, n: int) -> list[int]:
    """At most n tokens after a prompt (None: without one)."""
    before = [] if prompt is None else prompt.reshape(-1).tolist()
    options = SamplingOptions(top_k=1, repetition_penalty=penalty, max_tokens=n)
    columns = single(ids, prompt, bert)
    return list(generate(model, columns, options, previous=before, prompt_codes=len(before)))


def utterance(v: Vectors) -> Outputs:
    """Logits, both loss rules, a padded batch of two, accuracy, greedy tokens."""
    model = network(v, v.weights())
    bert = v.get("bert")
    columns = single(v["phoneme_ids"], v["semantic_ids"], bert)
    samples = [columns]
    if v.get("phoneme_ids_2") is not None:
        samples.append(single(v["phoneme_ids_2"], v["semantic_ids_2"], v.get("bert_2")))
    alone, padded = collate([columns]), collate(samples)
    with torch.inference_mode():
        result = semantic_loss(model(alone), alone.target)
        losses = semantic_loss(model(padded), padded.target, reduction="row").loss
        older = semantic_loss(model(alone), older_rule(alone).target).loss
    out = {
        "logits": logits_at_targets(model, columns),
        "targets": torch.from_numpy(columns.target[columns.target != IGNORE]),
        "loss_sum": losses[0],
        "loss_sum_2": losses[-1],
        "loss_sum_older_rule": older,
        "top3_accuracy": result.top3,
    }
    for prefix, prompt in (
        ("greedy_penalty_", v.get("prompt")),
        ("greedy_no_prompt_penalty_", None),
    ):
        for text in v.names(f"out/{prefix}"):
            n = v.expected[prefix + text].shape[-1]
            spoken = greedy(model, v["phoneme_ids"], prompt, bert, penalty=float(text), n=n)
            out[prefix + text] = torch.tensor(spoken)
    return out


def dialogue(v: Vectors) -> Outputs:
    """Rows of the last turn under both masks; any number of turns."""
    model = network(v, v.weights())
    starts = sorted(int(name.split("_")[0]) for name in v.names("in/segment_") if "text" in name)
    turns = [
        turn(
            v[f"segment_{k}_text"],
            v[f"segment_{k + 1}_speech"],
            v.get(f"segment_{k}_bert"),
            index=i,
        )
        for i, k in enumerate(starts)
    ]
    columns = build_sequence(turns[:-1], turns[-1], LayoutConfig()).columns()
    return {
        f"logits_{mask}": logits_at_targets(model, columns, mask=mask)
        for mask in ("causal", "block_causal")
    }
