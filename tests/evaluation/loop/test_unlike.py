"""Sentences a model has learnt from are not asked, whatever dialogue they stand in."""

from __future__ import annotations

from pathlib import Path

import pytest

from GPT_SoVITS.evaluation.loop.config import ItemsConfig
from GPT_SoVITS.evaluation.loop.items import ItemsError, read_items, sentences_of


def test_sentences_of_the_training_are_left_out(prepared_demo: Path) -> None:
    known = sentences_of(prepared_demo)
    every = read_items(ItemsConfig(data=str(prepared_demo), split="train"))
    assert every and all(item.text.strip() in known for item in every)
    heldout = read_items(ItemsConfig(data=str(prepared_demo), split="valid"))
    asked = read_items(ItemsConfig(data=str(prepared_demo), unlike=str(prepared_demo)))
    assert [i.id for i in asked] == [i.id for i in heldout if i.text.strip() not in known]


@pytest.mark.parametrize("key", ["data", "unlike"])
def test_a_corpus_that_is_not_there_is_named(prepared_demo: Path, tmp_path: Path, key: str) -> None:
    config = {"data": str(prepared_demo)} | {key: str(tmp_path / "nothing")}
    with pytest.raises(ItemsError, match="nothing: no prepared corpus there"):
        read_items(ItemsConfig(**config))
