"""THE property: what training sees for turn k is what a session holds before it generates turn k.

Ids, every other column array, targets and logits are compared, also after a turn has left the
window.
Each of the five faults of the published code (history index that never advances, one code too
many, targets that start at the history, no history codes in training, EOS never a target) is put
into a builder here, and the comparison must notice it.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.dialogue.history import select_history
from GPT_SoVITS.dialogue.layout import (
    EOS,
    IGNORE,
    Columns,
    EncodedTurn,
    LayoutConfig,
    build_sequence,
)
from GPT_SoVITS.inference.context import DialogueContext
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.training.s1_data import S1Dataset

LAYOUTS = [
    LayoutConfig(),
    LayoutConfig(history_turns=1),
    LayoutConfig(mask="causal"),
    LayoutConfig(order="grouped"),
    LayoutConfig(history_mode="growing", history_tokens=60),
    LayoutConfig(history_mode="growing", history_tokens=10_000),
]
Builder = Callable[[Sequence[EncodedTurn], int, LayoutConfig], Columns]


@pytest.fixture(scope="module")
def model() -> SemanticGPT:
    torch.manual_seed(0)
    config = S1Config(
        hidden_dim=32,
        n_head=4,
        n_layer=2,
        phoneme_vocab_size=50,
        use_roles=True,
        max_turn_distance=3,
    )
    model = SemanticGPT(config).eval()
    for name, parameter in model.named_parameters():
        if "role" in name or "turn_bias" in name:
            torch.nn.init.normal_(parameter)  # zero at birth: give them an effect
    return model


def dialogue(n_turns: int = 7, *, bert: bool = False) -> list[EncodedTurn]:
    rng = np.random.default_rng(3)
    turns = []
    for index in range(n_turns):
        length = int(rng.integers(3, 8))
        turns.append(
            EncodedTurn(
                speaker=("anna", "bob", "anna", "carol")[index % 4],
                phonemes=rng.integers(1, 50, length),
                codes=rng.integers(0, 1024, int(rng.integers(4, 14))),
                bert=rng.normal(size=(length, 1024)).astype(np.float32) if bert else None,
                turn=index,
            )
        )
    return turns


def from_dataset(turns: Sequence[EncodedTurn], k: int, layout: LayoutConfig) -> Columns:
    """Turn k as the training set builds it."""
    history = [turns[i] for i in select_history(turns, k, layout)]
    return build_sequence(history, turns[k], layout, user=other(turns, k)).columns()


def other(turns: Sequence[EncodedTurn], k: int) -> str | None:
    """The user: the first speaker before turn k who is not the one who answers."""
    return next((t.speaker for t in turns[:k] if t.speaker != turns[k].speaker), None)


def compare(
    model: SemanticGPT,
    data: Columns,
    context: DialogueContext,
    target: EncodedTurn,
    layout: LayoutConfig,
) -> None:
    """Raise AssertionError unless the training columns and the session's agree."""
    held = context.prefix(target.phonemes.tolist(), bert=target.bert)
    n = len(held)
    assert len(data) == n + len(target.codes), "lengths differ"
    for name in ("ids", "is_text", "position", "segment", "turn", "role", "hidden"):
        assert np.array_equal(getattr(data, name)[:n], getattr(held, name)), f"{name} differ"
    assert data.response_start == held.response_start
    if data.bert is not None:
        assert held.bert is not None and np.array_equal(data.bert[:n], held.bert)
    assert np.array_equal(data.ids[n:], target.codes), "response ids differ"
    assert np.array_equal(data.target[n - 1 :], [*target.codes, EOS]), "targets differ"
    assert (data.target[: n - 1] == IGNORE).all(), "targets outside the response"
    with torch.inference_mode():
        full = model(collate([data]), mask=layout.mask)[0]
    torch.testing.assert_close(context.logits(held), full[n - 1], atol=1e-5, rtol=1e-5)


def walk(
    model: SemanticGPT,
    layout: LayoutConfig,
    builder: Builder,
    *,
    agent: str = "anna",
    bert: bool = False,
    heard: Callable[[list[EncodedTurn], int], EncodedTurn] = lambda turns, k: turns[k],
) -> int:
    """One session through a whole dialogue; at each of the agent's turns both sides are
    compared."""
    turns = dialogue(bert=bert)
    context = DialogueContext(model, agent=agent, layout=layout)
    compared = 0
    for k, turn in enumerate(turns):
        if turn.speaker == agent:
            compare(model, builder(turns, k, layout), context, turn, layout)
            held = context.prefix(turn.phonemes.tolist(), bert=turn.bert)
            reply = context.generate(held, SamplingOptions(top_k=1, max_tokens=5))
            list(reply)
            context.keep(held, reply)  # a cache of what is not the true turn: must never be trusted
            compared += 1
        context.add(heard(turns, k))
        if k % 2:
            context.warm()
    return compared


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("bert", [False, True], ids=["no_bert", "bert"])
def test_session_equals_dataset_also_after_evictions(
    model: SemanticGPT, layout: LayoutConfig, bert: bool
) -> None:
    assert walk(model, layout, from_dataset, bert=bert) == 4


def manifest(path: Path, turns: Sequence[EncodedTurn]) -> Path:
    """The dialogue as one line of ``s1_train.jsonl``."""
    record = {
        "schema_version": 1,
        "dialogue": "test/0",
        "turns": [
            {
                "id": f"test/0/{turn.turn}",
                "index": turn.turn,
                "speaker": turn.speaker,
                "language": "en",
                "text": "",
                "phonemes": turn.phonemes.tolist(),
                "codes": turn.codes.tolist(),
                "seconds": len(turn.codes) / 25,
            }
            for turn in turns
        ],
        "targets": list(range(len(turns))),
    }
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("agent", ["anna", "bob", "carol"])
def test_session_equals_the_training_set_itself(
    model: SemanticGPT, tmp_path: Path, layout: LayoutConfig, agent: str
) -> None:
    dataset = S1Dataset(manifest(tmp_path / "s1_train.jsonl", dialogue()), layout)

    def item(turns: Sequence[EncodedTurn], k: int, layout: LayoutConfig) -> Columns:
        return dataset[k]

    assert walk(model, layout, item, agent=agent) >= 1


def fault_1_first_history_codes(turns: list[EncodedTurn], k: int) -> EncodedTurn:
    turn = turns[k]
    return EncodedTurn(turn.speaker, turn.phonemes, turns[0].codes, turn.bert, turn.turn)


def fault_2_one_code_too_many(turns: list[EncodedTurn], k: int) -> EncodedTurn:
    turn = turns[k]
    codes = np.concatenate([turns[max(0, k - 1)].codes[-1:], turn.codes])
    return EncodedTurn(turn.speaker, turn.phonemes, codes, turn.bert, turn.turn)


def fault_3_window_from_history(
    turns: Sequence[EncodedTurn], k: int, layout: LayoutConfig
) -> Columns:
    history = [turns[i] for i in select_history(turns, k, layout)]
    turn = turns[k]
    stream = np.concatenate([t.codes for t in [*history, turn]])[: len(turn.codes)]
    wrong = EncodedTurn(turn.speaker, turn.phonemes, stream, turn.bert, turn.turn)
    return build_sequence(history, wrong, layout, user=other(turns, k)).columns()


def fault_4_no_history_codes(turns: Sequence[EncodedTurn], k: int, layout: LayoutConfig) -> Columns:
    history = [turns[i] for i in select_history(turns, k, layout)]
    return build_sequence(history, turns[k], layout, keep="text", user=other(turns, k)).columns()


def fault_5_no_eos(turns: Sequence[EncodedTurn], k: int, layout: LayoutConfig) -> Columns:
    columns = from_dataset(turns, k, layout)
    columns.target[columns.target == EOS] = IGNORE
    return columns


@pytest.mark.parametrize("heard", [fault_1_first_history_codes, fault_2_one_code_too_many])
def test_faults_of_published_inference_are_noticed(
    model: SemanticGPT, heard: Callable[[list[EncodedTurn], int], EncodedTurn]
) -> None:
    with pytest.raises(AssertionError):
        walk(model, LayoutConfig(), from_dataset, heard=heard)


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        (fault_3_window_from_history, "response ids"),
        (fault_4_no_history_codes, "lengths"),
        (fault_5_no_eos, "targets"),
    ],
)
def test_faults_of_published_training_are_noticed(
    model: SemanticGPT, builder: Builder, said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        walk(model, LayoutConfig(), builder)


def test_history_faults_change_the_logits_too(model: SemanticGPT) -> None:
    """Not only ids: the network's answer differs for faults 1, 2 and 4."""
    turns, k, layout = dialogue(), 2, LayoutConfig()
    right = DialogueContext(model, agent="anna", layout=layout, turns=turns[:k])
    columns = right.prefix(turns[k].phonemes.tolist())
    logits = right.logits(columns)
    for heard in (fault_1_first_history_codes, fault_2_one_code_too_many):
        wrong = DialogueContext(
            model, agent="anna", layout=layout, turns=[heard(turns, i) for i in range(k)]
        )
        other_logits = wrong.logits(wrong.prefix(turns[k].phonemes.tolist()))
        assert not torch.allclose(logits, other_logits, atol=1e-3)
    with torch.inference_mode():
        data = fault_4_no_history_codes(turns, k, layout)
        at = len(data) - len(turns[k].codes) - 1
        assert not torch.allclose(logits, model(collate([data]))[0, at], atol=1e-3)
