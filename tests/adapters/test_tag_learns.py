"""A tag's row and a LoRA learn a planted association in 50 steps; the base's rows do not move."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch.nn import functional as F

from GPT_SoVITS.adapters.lora import inject
from GPT_SoVITS.adapters.options import S1LoraOptions
from GPT_SoVITS.adapters.rows import train_rows
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from tests.adapters.test_lora import S1, columns

TAG, GIGGLE, WORDS = 39, 77, 5
"""The tag's row, the code that is its sound, and phonemes of a sentence."""


def sentences(n: int, draw: torch.Generator, *, tagged: bool) -> ColumnBatch:
    """Phonemes (the tag among them, or not), then one column to answer at."""
    one = columns(WORDS + 1)
    ids = torch.randint(TAG, (n, WORDS + 1), generator=draw)
    if tagged:
        ids[torch.arange(n), torch.randint(WORDS, (n,), generator=draw)] = TAG
    values = {
        field.name: value.expand(n, *value.shape[1:])
        for field in dataclasses.fields(one)
        if isinstance(value := getattr(one, field.name), torch.Tensor)
    }
    ids[:, WORDS] = 0  # the column after the text
    return ColumnBatch(**(values | {"ids": ids, "bert": None}))


def chance(model: SemanticGPT, batch: ColumnBatch) -> torch.Tensor:
    """(B,) probability of the giggle after the text."""
    with torch.no_grad():
        return model(batch)[:, WORDS].softmax(-1)[:, GIGGLE]


def test_fifty_steps_teach_a_tag_its_sound() -> None:
    torch.manual_seed(0)
    model = SemanticGPT(dataclasses.replace(S1, hidden_dim=32))
    for table in (model.head.weight, model.embedding.text.weight):
        torch.nn.init.normal_(table)  # a trained network tells its rows apart, a fresh one hardly
    before = copy.deepcopy(model.state_dict())
    inject(model, S1LoraOptions(rank=4), kind="s1", names=["giggles"])
    rows = train_rows(model, "s1", first=TAG, n=1)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=50)
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        with_tag, without = (sentences(16, draw, tagged=t) for t in (True, False))
        target = torch.full((16,), GIGGLE)
        loss = F.cross_entropy(model(with_tag)[:, WORDS], target)
        loss = loss + F.cross_entropy(model(without)[:, WORDS], target - 1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        schedule.step()
    assert chance(model, sentences(64, draw, tagged=True)).min() > 0.9
    assert chance(model, sentences(64, draw, tagged=False)).max() < 0.1
    old = before["embedding.text.weight"]
    table = rows.table()
    assert not torch.equal(table[TAG], old[TAG])
    assert torch.equal(table[:TAG], old[:TAG])
    assert torch.equal(model.head.weight, before["head.weight"])
