"""Context score: every condition shows what it says, and models that do or do not listen differ."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.dialogue.layout import EOS, LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, write_records
from GPT_SoVITS.evaluation.context_score import (
    by_dialogue,
    conditions_of,
    main,
    score_dialogues,
    summarise,
)
from GPT_SoVITS.s1_gpt.batch import ColumnBatch
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT

LAYOUT = LayoutConfig(history_turns=4)


def dialogue(number: int, *, n_turns: int = 6) -> S1Record:
    """All turns of dialogue n say code n; its text is phonemes 1 and 2."""
    turns = tuple(
        TurnRecord(
            id=f"d{number}/{index}",
            index=index,
            speaker=f"s{index % 2}",
            language="en",
            text="…",
            phonemes=(1, 2),
            codes=(number,) * (3 + index),
            seconds=0.12,
        )
        for index in range(n_turns)
    )
    return S1Record(dialogue=f"d{number}", turns=turns, targets=tuple(range(1, n_turns)))


class Echo(nn.Module):
    """Believes that the reply repeats the first code of the history's speech; deaf: nothing."""

    def __init__(self, *, listens: bool) -> None:
        super().__init__()
        self.listens, self.head = listens, nn.Linear(1, 1)

    def forward(self, batch: ColumnBatch, *, mask: str) -> Tensor:
        logits = torch.zeros(*batch.ids.shape, EOS + 1)
        for row in range(len(logits)):
            heard = ~batch.is_text[row] & batch.valid[row]
            heard &= batch.turn[row] != batch.turn[row][batch.valid[row]].max()
            if self.listens and heard.any():
                logits[row, :, int(batch.ids[row][heard][0])] = 5.0
        return logits


def test_conditions_hold_the_segments_they_name():
    turns = [turn.encoded() for turn in dialogue(5).turns]
    other = [turn.encoded() for turn in dialogue(7).turns][:4]
    found = conditions_of(turns, 5, LAYOUT, other=other, max_turns=4, rng=random.Random(0))
    own = 2 + 8  # the response's phonemes and codes
    text, speech = 2 * 4, 4 + 5 + 6 + 7
    sizes = {name: len(columns) for name, columns in found.items()}
    assert sizes["full"] == own + text + speech == sizes["shuffled"] == sizes["turns=4"]
    assert (sizes["text"], sizes["speech"], sizes["none"]) == (own + text, own + speech, own)
    assert sizes["turns=1"] == own + 2 + 7 and sizes["turns=2"] == own + 4 + 13
    assert set(found["other"].ids.tolist()) >= {5, 7}
    targets = [columns.target[columns.target >= 0].tolist() for columns in found.values()]
    assert all(target == targets[0] for target in targets)
    # Places keep their turn numbers and roles, contents move.
    assert found["shuffled"].turn.max() == found["full"].turn.max()
    assert sorted(found["shuffled"].ids) == sorted(found["full"].ids)


def test_a_model_that_listens_loses_without_speech_and_with_anothers():
    items = score_dialogues(Echo(listens=True), [dialogue(n) for n in (5, 7, 9)], LAYOUT)
    summary = summarise(items)
    for name in ("text", "none", "other"):
        assert summary[name]["minus_full"]["low"] > 1.0
    for name in ("speech", "shuffled", "turns=1"):
        assert summary[name]["minus_full"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert summary["full"]["top1"] > 0.8 > summary["none"]["top1"]
    assert summary["shuffled"]["n"] == 12 and summary["full"]["n"] == 15
    each = by_dialogue(items)
    assert set(each) == {"d5", "d7", "d9"} and each["d5"]["none"] > each["d5"]["full"]


def test_a_deaf_model_has_zero_everywhere():
    items = score_dialogues(Echo(listens=False), [dialogue(5), dialogue(7)], LAYOUT)
    gaps = [e["minus_full"]["mean"] for e in summarise(items).values() if "minus_full" in e]
    assert len(gaps) == 9 and max(map(abs, gaps)) < 1e-6


def test_dialogues_without_history_are_an_error():
    with pytest.raises(ValueError, match="no target has a history"):
        score_dialogues(Echo(listens=True), [dialogue(5)], LayoutConfig(history_turns=0))


def test_the_command_scores_a_model_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = S1Config(hidden_dim=16, n_head=2, n_layer=1, phoneme_vocab_size=8)
    header = {"layout": {"history_turns": 2}}
    path = tmp_path / "s1.safetensors"
    save_model(path, SemanticGPT(config), kind="s1", config=config, header=header)
    write_records(tmp_path / "5_sequences" / "s1_valid.jsonl", [dialogue(5), dialogue(7)])
    out = tmp_path / "score.json"
    command = ["--model", str(tmp_path), "--data", str(tmp_path), "--output", str(out)]
    main(command)
    first = out.read_text()
    main(command)
    assert out.read_text() == first  # nothing is drawn
    assert "| none |" in capsys.readouterr().out
    assert len(json.loads(first)["items"]) == 10
