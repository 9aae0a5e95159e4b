"""History swap: a model that listens scores worse after a foreign history, a deaf one does not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from GPT_SoVITS.dialogue.layout import EOS, LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord
from GPT_SoVITS.evaluation.history_swap import measure, swapped_history
from GPT_SoVITS.s1_gpt.batch import ColumnBatch


def dialogue(number: int, *, n_turns: int = 3, language: str = "en") -> S1Record:
    """A dialogue whose turns all say the code `number`."""
    turns = tuple(
        TurnRecord(
            id=f"d{number}/{index}",
            index=index,
            speaker=f"s{index % 2}",
            language=language,
            text="…",
            phonemes=(1, 2),
            codes=(number,) * 3,
            seconds=0.12,
        )
        for index in range(n_turns)
    )
    return S1Record(dialogue=f"d{number}", turns=turns, targets=tuple(range(1, n_turns)))


class Echo(nn.Module):
    """Believes that the reply repeats the first code of the sequence, or believes nothing."""

    def __init__(self, *, listens: bool) -> None:
        super().__init__()
        self.listens = listens

    def forward(self, batch: ColumnBatch, *, mask: str) -> Tensor:
        logits = torch.zeros(*batch.ids.shape, EOS + 1)
        speech = batch.ids[0][~batch.is_text[0]]
        if self.listens:
            logits[..., int(speech[0])] = 5.0
        return logits


def test_a_model_that_listens_scores_worse_after_a_swapped_history():
    result, records = measure(Echo(listens=True), [dialogue(5), dialogue(7)], LayoutConfig())
    assert result.n_pairs == 4
    assert result.difference > 1.0
    assert result.share_higher == 1.0
    assert [one["turn"] for one in records] == ["d5/1", "d5/2", "d7/1", "d7/2"]


def test_a_deaf_model_scores_the_same():
    result, _ = measure(Echo(listens=False), [dialogue(5), dialogue(7)], LayoutConfig())
    assert result.difference == pytest.approx(0.0, abs=1e-6)


def test_the_donor_is_of_the_same_language_where_there_is_one():
    dialogues = [dialogue(5), dialogue(6, language="zh"), dialogue(5)]
    result, records = measure(Echo(listens=True), dialogues, LayoutConfig())
    same = [one for one in records if one["turn"].startswith("d5")]
    assert all(one["true"] == pytest.approx(one["swapped"]) for one in same)
    assert result.n_pairs == 6


def test_a_swap_keeps_speakers_turn_numbers_and_count():
    own = [turn.encoded() for turn in dialogue(5).turns[:2]]
    other = [turn.encoded() for turn in dialogue(7, n_turns=5).turns[:4]]
    swapped = swapped_history(own, other)
    assert swapped is not None
    assert [(t.speaker, t.turn) for t in swapped] == [("s0", 0), ("s1", 1)]
    assert {int(code) for turn in swapped for code in turn.codes} == {7}
    assert swapped_history(own, other[:1]) is None


def test_one_dialogue_alone_cannot_be_swapped():
    with pytest.raises(ValueError, match="two dialogues"):
        measure(Echo(listens=True), [dialogue(5)], LayoutConfig())
