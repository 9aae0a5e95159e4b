"""Stage 1 in the format of golden/nn_more: gradients, padding, EOS, sampler, DPO, files."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from GPT_SoVITS.checkpoints.keymaps import S1_NAMES
from GPT_SoVITS.checkpoints.loading import load_s1
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.dialogue.layout import Columns, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import ColumnBatch, collate
from GPT_SoVITS.s1_gpt.generate import generate, generate_batch
from GPT_SoVITS.s1_gpt.loss import dpo_loss, semantic_loss, sequence_log_probability
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.published_loss import literal_loss
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, penalise, probabilities
from tests.vectors.folder import Vectors
from tests.vectors.s1 import Outputs, greedy, logits_at_targets, network, single, turn


def _network(v: Vectors) -> SemanticGPT:
    stored = {name: v.tensors[f"w/{name}"] for name in v.names("w/")}
    return network(v, stored)


def utterance(v: Vectors) -> Outputs:
    """Everything `s1_*_small` asks for."""
    model = _network(v)
    out = _gradients(v, model)
    with torch.inference_mode():
        out |= _single(v, model) | _batch(v, model) | _samplers(v)
    out |= _greedy(v, model)
    return out | _stopping(v, model)


def _gradients(v: Vectors, model: SemanticGPT) -> Outputs:
    batch = collate([single(v["phones"], v["codes"], v["bert"])])
    result = semantic_loss(model(batch), batch.target)
    result.loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    theirs = renamed(grads, reverse(S1_NAMES), path=v.path)
    out = {"loss_sum": result.loss, "top3_acc": result.top3}
    for name, grad in theirs.items():
        out |= {f"grad/model.{name}": grad, f"gradnorm/model.{name}": grad.norm()}
    return out


def _single(v: Vectors, model: SemanticGPT) -> Outputs:
    columns = single(v["phones"], v["codes"], v["bert"])
    rejected = single(v["phones"], v["dpo_reject_codes"], v["bert"])
    bare = single(v["phones"], v["codes"], torch.zeros_like(v["bert"]))
    logp = [
        sequence_log_probability(model(batch), batch.target)
        for batch in (collate([columns]), collate([rejected]))
    ]
    text = v["phones"].shape[-1]
    return {
        "logits": logits_at_targets(model, columns),
        "targets": torch.from_numpy(columns.target[text - 1 :]),
        "logits_zero_bert_last": model(collate([bare]))[:, -1],
        "dpo_chosen_logp": logp[0],
        "dpo_reject_logp": logp[1],
        "dpo_loss": dpo_loss(*logp),
    }


def _rows(v: Vectors) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for i, (x, n) in enumerate(zip(v["batch_phones_len"], v["batch_codes_len"])):
        yield v["batch_phones"][i, :x], v["batch_codes"][i, :n], v["batch_bert"][i, :, :x]


def _batch(v: Vectors, model: SemanticGPT) -> Outputs:
    batch: ColumnBatch = collate([single(*row) for row in _rows(v)])
    logits = model(batch)
    losses = semantic_loss(logits, batch.target, reduction="row").loss
    out = {"batch_loss_total_per_sample": losses.sum()}
    out["loss_literal_batch"] = literal_loss(model, batch)
    for i, loss in enumerate(losses):
        out[f"batch_loss_{i}"] = loss
        out[f"batch_logits_{i}"] = logits[i, batch.target[i] != -100]
    return out


def _samplers(v: Vectors) -> Outputs:
    out = {}
    for name, settings in v.config["samplers"].items():
        options = SamplingOptions(**settings)
        rows = zip(v["sampler_logits"], v["sampler_hist"])
        penalised = [penalise(z, before, options.repetition_penalty) for z, before in rows]
        out[f"sampler_probs_{name}"] = torch.stack([probabilities(z, options) for z in penalised])
    return out


def _greedy(v: Vectors, model: SemanticGPT) -> Outputs:
    """Upstream yields n - 1 at its cap, and 0 without a prompt; its batches lose one token."""
    prompt = v["prompt"]
    out: Outputs = {}
    for name, expected in v.expected.items():
        kind, _, penalty = name.rpartition("_rp")
        if not kind.startswith("greedy") or penalty.endswith("idx"):
            continue
        with_prompt = kind == "greedy"
        start = prompt if with_prompt else None
        n = expected.shape[-1] - (prompt.shape[-1] if with_prompt else 0)
        spoken = greedy(model, v["phones"], start, v["bert"], penalty=float(penalty), n=n)
        before = prompt.reshape(-1).tolist() if with_prompt else []
        out[name] = torch.tensor(before + spoken)
        out[f"{name}_idx"] = torch.tensor(n - 1 if with_prompt else 0)
    sizes = [v.expected[f"batch_greedy_{i}"].shape[-1] for i in range(len(v["batch_phones_len"]))]
    before = prompt.reshape(-1).tolist()
    replies = generate_batch(
        model,
        [single(phones, prompt, bert) for phones, _, bert in _rows(v)],
        SamplingOptions(top_k=1, max_tokens=max(sizes) - len(before)),
        previous=[before] * len(sizes),
        prompt_codes=len(before),
    )
    out |= {f"batch_greedy_{i}": torch.tensor(before + reply) for i, reply in enumerate(replies)}
    out["batch_greedy_idx"] = torch.tensor([len(reply) for reply in replies])
    return out


def _stopping(v: Vectors, model: SemanticGPT) -> Outputs:
    """With another EOS row the reply ends by itself; there is room for one token more."""
    with torch.no_grad():
        model.head.weight[model.config.eos] = v["eos_row"]
    before = v["prompt"].reshape(-1).tolist()
    n = v.expected["greedy_eos"].shape[-1] - len(before) + 1
    spoken = greedy(model, v["phones"], v["prompt"], v["bert"], penalty=1.35, n=n)
    return {
        "greedy_eos": torch.tensor(before + spoken),
        "greedy_eos_idx": torch.tensor(len(spoken)),
    }


def dialogue(v: Vectors) -> Outputs:
    """GPT-Talker's layout: plain causal, every segment's positions from 0."""
    model = _network(v)
    names = [*sorted(n for n in v.names("in/text_") if n != "cur"), "cur"]
    turns = [
        turn(v[f"text_{k}"], v[f"codes_{k}"], v.get(f"bert_{k}"), index=i)
        for i, k in enumerate(names)
    ]
    layout = LayoutConfig(mask="causal", history_turns=len(turns))

    def columns_with(history: int) -> Columns:
        return build_sequence(turns[len(names) - 1 - history : -1], turns[-1], layout).columns()

    whole = columns_with(len(names) - 1)
    batch = collate([whole])
    with torch.inference_mode():
        logits = model(batch, mask="causal")
    n = v["codes_cur"].shape[-1]
    prompt = whole.part(0, len(whole) - n)
    options = SamplingOptions(
        top_k=1,
        repetition_penalty=1.0,
        eos_guard=0,
        max_tokens=v.expected["infer_new_greedy"].shape[-1],
    )
    spoken = list(generate(model, prompt, options, mask="causal"))
    return {
        "logits_all": logits,
        "logits_codes_cur": logits[:, -n:],
        "logits_last_text_cur": logits[:, -n - 1],
        "logits_one_history": logits_at_targets(model, columns_with(1), mask="causal"),
        "logits_no_history": logits_at_targets(model, columns_with(0), mask="causal"),
        "loss_sum_intended": semantic_loss(logits, batch.target).loss,
        "infer_new_greedy": torch.tensor(spoken),
        "infer_new_idx": torch.tensor(len(spoken) + 1),  # upstream counts one too many
    }


def checkpoint(v: Vectors) -> Outputs:
    """A file written by upstream's own code, loaded as it is."""
    path = v.path.with_name(v.path.name.replace(".expected.safetensors", ".ckpt"))
    model, _ = load_s1(path)
    return {"logits": logits_at_targets(model.float(), single(v["phones"], v["codes"], v["bert"]))}
