"""Our semantic GPT against the published modules: logits, losses, greedy tokens, sampler, DPO."""

from __future__ import annotations

import pytest
import torch

from GPT_SoVITS.dialogue.layout import LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.generate import generate, generate_batch
from GPT_SoVITS.s1_gpt.loss import dpo_loss, semantic_loss, sequence_log_probability
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions, penalise, probabilities
from tests.s1_gpt.reference import Reference, close, load, single, turn

SINGLE = ["s1_small_a", "s1_small_b", "s1_v1"]
MORE = ["s1_v1_small", "s1_v2_small"]


@pytest.fixture(scope="module")
def reference(shared):
    known: dict[tuple[str, str], Reference] = {}

    def get(folder: str, name: str) -> Reference:
        if (folder, name) not in known:
            known[folder, name] = load(shared / "golden" / folder, name)
        return known[folder, name]

    return get


def logits_of(model, columns, *, mask="block_causal"):
    with torch.inference_mode():
        return model(collate([columns]), mask=mask)


@pytest.mark.parametrize("name", SINGLE)
def test_one_utterance_has_the_published_logits_and_loss(reference, name):
    r = reference("nn", f"{name}_single")
    t = r.tensors
    columns = single(t["in/phoneme_ids"], t["in/semantic_ids"], t["in/bert"])
    other = single(t["in/phoneme_ids_2"], t["in/semantic_ids_2"], t["in/bert_2"])
    rows = columns.target != -100
    assert columns.target[rows].tolist() == t["out/targets"][0].tolist()
    logits = logits_of(r.model, columns)
    close(logits[:, torch.from_numpy(rows)], t["out/logits"])
    batch = collate([columns, other])
    with torch.inference_mode():
        both = r.model(batch)
    loss = semantic_loss(both, batch.target, reduction="row").loss
    close(loss, torch.cat([t["out/loss_sum"], t["out/loss_sum_2"]]))
    alone = semantic_loss(logits, batch.target[:1, : len(columns)])
    assert float(alone.top3) == pytest.approx(float(t["out/top3_accuracy"]), abs=1e-6)


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("penalty", [1.0, 1.35])
def test_greedy_tokens_are_the_published_ones(reference, name, penalty):
    r = reference("nn", f"{name}_single")
    t = r.tensors
    options = SamplingOptions(top_k=1, repetition_penalty=penalty, max_tokens=24)
    prompt = t["in/prompt"][0].tolist()
    columns = single(t["in/phoneme_ids"], t["in/prompt"], t["in/bert"])
    spoken = generate(r.model, columns, options, previous=prompt, prompt_codes=len(prompt))
    assert list(spoken) == t[f"out/greedy_penalty_{penalty}"][0].tolist()
    bare = single(t["in/phoneme_ids"], None, t["in/bert"], with_codes=False)
    expected = t[f"out/greedy_no_prompt_penalty_{penalty}"][0].tolist()
    assert list(generate(r.model, bare, options)) == expected


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("mask", ["causal", "block_causal"])
def test_a_dialogue_has_the_reference_logits(reference, name, mask):
    r = reference("nn", f"{name}_dialogue")
    t = r.tensors
    parts = [(f"in/segment_{k}", f"in/segment_{k + 1}_speech") for k in (0, 2, 4)]
    turns = [
        turn(t[f"{text}_text"], t[speech], t[f"{text}_bert"], index=i)
        for i, (text, speech) in enumerate(parts)
    ]
    columns = build_sequence(turns[:2], turns[2], LayoutConfig()).columns()
    logits = logits_of(r.model, columns, mask=mask)
    close(logits[:, torch.from_numpy(columns.target != -100)], t[f"out/logits_{mask}"])


def test_gpt_talker_layout_has_the_published_logits_and_intended_loss(reference):
    r = reference("nn_more", "s1_dialogue_small")
    t = r.tensors
    turns = [
        turn(t[f"in/text_{k}"], t[f"in/codes_{k}"], t[f"in/bert_{k}"], index=i)
        for i, k in enumerate(["0", "1", "cur"])
    ]
    layout = LayoutConfig(mask="causal")
    columns = build_sequence(turns[:2], turns[2], layout).columns()
    logits = logits_of(r.model, columns, mask="causal")
    close(logits, t["out/logits_all"])
    loss = semantic_loss(logits, collate([columns]).target).loss
    close(loss, t["out/loss_sum_intended"])
    for name, history in (("one_history", turns[1:2]), ("no_history", [])):
        columns = build_sequence(history, turns[2], layout).columns()
        rows = torch.from_numpy(columns.target != -100)
        close(logits_of(r.model, columns, mask="causal")[:, rows], t[f"out/logits_{name}"])


@pytest.mark.parametrize("name", MORE)
def test_second_set_logits_loss_gradients_and_dpo(reference, name):
    r = reference("nn_more", name)
    t = r.tensors
    batch = collate([single(t["in/phones"], t["in/codes"], t["in/bert"])])
    r.model.zero_grad()
    logits = r.model(batch)
    close(logits[:, batch.target[0] != -100], t["out/logits"])
    loss = semantic_loss(logits, batch.target)
    close(loss.loss, t["out/loss_sum"])
    loss.loss.backward()
    norm = r.model.head.weight.grad.norm()
    close(norm, t["out/gradnorm/model.ar_predict_layer.weight"], relative=1e-4)
    r.model.zero_grad()
    rejected = collate([single(t["in/phones"], t["in/dpo_reject_codes"], t["in/bert"])])
    with torch.inference_mode():
        chosen_logp = sequence_log_probability(logits.detach(), batch.target)
        rejected_logp = sequence_log_probability(r.model(rejected), rejected.target)
    close(chosen_logp, t["out/dpo_chosen_logp"])
    close(rejected_logp, t["out/dpo_reject_logp"])
    difference = dpo_loss(chosen_logp, rejected_logp) - t["out/dpo_loss"]
    assert abs(float(difference)) <= 2e-5 + 1e-4 * float(t["out/dpo_loss"])


def rows_of(t):
    for i, (x, n) in enumerate(zip(t["in/batch_phones_len"], t["in/batch_codes_len"])):
        phones, codes = t["in/batch_phones"][i, :x], t["in/batch_codes"][i, :n]
        yield phones, codes, t["in/batch_bert"][i, :, :x]


@pytest.mark.parametrize("name", MORE)
def test_rows_of_a_padded_batch_equal_each_row_alone(reference, name):
    r = reference("nn_more", name)
    t = r.tensors
    batch = collate([single(*row) for row in rows_of(t)])
    with torch.inference_mode():
        logits = r.model(batch)
    losses = semantic_loss(logits, batch.target, reduction="row").loss
    for i in range(len(losses)):
        close(logits[i, batch.target[i] != -100], t[f"out/batch_logits_{i}"])
        close(losses[i], t[f"out/batch_loss_{i}"])


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("penalty", ["1.00", "1.35"])
def test_second_set_greedy_tokens(reference, name, penalty):
    r = reference("nn_more", name)
    t = r.tensors
    prompt = t["in/prompt"][0].tolist()
    columns = single(t["in/phones"], t["in/prompt"], t["in/bert"])
    bare = single(t["in/phones"], None, t["in/bert"], with_codes=False)
    options = SamplingOptions(top_k=1, repetition_penalty=float(penalty), max_tokens=24)
    spoken = generate(r.model, columns, options, previous=prompt, prompt_codes=len(prompt))
    assert prompt + list(spoken) == t[f"out/greedy_rp{penalty}"][0].tolist()
    expected = t[f"out/greedy_noprompt_rp{penalty}"][0].tolist()
    assert list(generate(r.model, bare, options)) == expected


@pytest.mark.parametrize("name", MORE)
def test_batched_greedy_tokens_are_the_published_ones(reference, name):
    r = reference("nn_more", name)
    t = r.tensors
    prompt = t["in/prompt"][0].tolist()
    prompts = [single(phones, t["in/prompt"], bert) for phones, _, bert in rows_of(t)]
    batched = generate_batch(
        r.model,
        prompts,
        SamplingOptions(top_k=1, max_tokens=23),
        previous=[prompt] * len(prompts),
        prompt_codes=len(prompt),
    )
    for i, tokens in enumerate(batched):
        assert prompt + tokens == t[f"out/batch_greedy_{i}"].tolist()


@pytest.mark.parametrize("name", MORE)
def test_greedy_stops_at_eos_and_drops_it(shared, name):
    r = load(shared / "golden" / "nn_more", name)
    t = r.tensors
    with torch.no_grad():
        r.model.head.weight[1024] = t["in/eos_row"]
    prompt = t["in/prompt"][0].tolist()
    columns = single(t["in/phones"], t["in/prompt"], t["in/bert"])
    options = SamplingOptions(top_k=1, max_tokens=40)
    stream = generate(r.model, columns, options, previous=prompt, prompt_codes=len(prompt))
    assert prompt + list(stream) == t["out/greedy_eos"][0].tolist()


@pytest.mark.parametrize("name", MORE)
def test_sampler_probabilities_are_the_published_ones(reference, name):
    r = reference("nn_more", name)
    t = r.tensors
    for key, settings in r.config["samplers"].items():
        options = SamplingOptions(**settings)
        for row in range(2):
            logits, history = t["in/sampler_logits"][row], t["in/sampler_hist"][row]
            ours = probabilities(penalise(logits, history, options.repetition_penalty), options)
            theirs = t[f"out/sampler_probs_{key}"][row]
            assert torch.allclose(ours, theirs, atol=1e-6)
            assert torch.equal(ours > 0, theirs > 0)
