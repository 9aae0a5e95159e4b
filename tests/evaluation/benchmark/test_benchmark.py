"""The controlled benchmark in a made world where the answer is known: tokens name their style."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml

from GPT_SoVITS.checkpoints.tokenizer_file import save_tokenizer
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import S1Record, TurnRecord, read_s1, write_records
from GPT_SoVITS.evaluation.benchmark import run as benchmark
from GPT_SoVITS.evaluation.benchmark.conditions import CONDITIONS, donors, prompt_of
from GPT_SoVITS.evaluation.benchmark.config import BenchmarkConfig
from GPT_SoVITS.evaluation.benchmark.corpus import (
    BenchmarkError,
    is_held_out,
    read_items,
    read_rule,
    write_training,
)
from GPT_SoVITS.evaluation.benchmark.exam import set_exam
from GPT_SoVITS.evaluation.benchmark.report import checks
from GPT_SoVITS.features.logmel import LogmelConfig
from GPT_SoVITS.s1_gpt.sampling import SamplingOptions
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer

STYLES = ("excited", "firm", "gentle", "tired")
PER_STYLE = 4
LENGTH = 4
FEATURE = LogmelConfig()
TOKENIZER = "4_semantic/tokenizer.safetensors"


def dialogue(number: int, voice: str, rule: dict[str, str]) -> S1Record:
    """Six turns; the agent's style is the rule of the user's, codes lie in their style's range."""
    rng = random.Random(number)
    turns, style = [], ""
    for index in range(6):
        style = rule[style] if index % 2 else rng.choice(STYLES)
        first = PER_STYLE * STYLES.index(style)
        turns.append(
            TurnRecord(
                id=f"w/{number}/{index}",
                index=index,
                speaker=voice if index % 2 else "user",
                language="en",
                text=f"sentence {rng.randrange(40)}",
                phonemes=(1 + rng.randrange(6), 1 + rng.randrange(6)),
                codes=tuple(first + rng.randrange(PER_STYLE) for _ in range(LENGTH)),
                seconds=LENGTH / 25,
                style={"name": style},
            )
        )
    return S1Record(dialogue=f"w/{number}", turns=tuple(turns), targets=(1, 3, 5))


def world(folder: Path, *, dialogues: int = 300, rule: dict[str, str] | None = None) -> Path:
    """A prepared corpus: voice a0 in training, voice a1 held out."""
    rule = rule or {style: style for style in STYLES}
    sequences = folder / "5_sequences"
    records = [dialogue(n, "a0", rule) for n in range(dialogues)]
    write_records(sequences / "s1_train.jsonl", records)
    held_out = [dialogue(10_000 + n, "a1", rule) for n in range(400)]
    write_records(sequences / "s1_valid.jsonl", held_out)
    tokenizer = SemanticTokenizer(FEATURE.dim, 8, PER_STYLE * len(STYLES))
    generator = torch.Generator().manual_seed(0)
    noise = 0.3 * torch.randn(tokenizer.n_codes, 8, generator=generator)
    styles = torch.arange(tokenizer.n_codes) // PER_STYLE  # ranges of codes lie apart in the table
    tokenizer.quantizer.embed.copy_(noise + torch.eye(8)[styles])
    path = save_tokenizer(folder / TOKENIZER, tokenizer, feature=FEATURE.to_json())
    assert path.is_file()
    identity = tokenizer.quantizer_id(FEATURE.to_json())
    meta = {"n_symbols": 732, "symbols": "v2", "quantizer_id": identity}
    (sequences / "meta.json").write_text(json.dumps(meta | {"feature": FEATURE.to_json()}))
    return folder


def config(folder: Path, **more) -> BenchmarkConfig:
    """A model that learns the world in seconds."""
    values = {
        "model": {"hidden_dim": 32, "n_head": 4, "n_layer": 2, "use_roles": True},
        "layout": {"history_turns": 4},
        "optimizer": {"lr": 0.003, "warmup_steps": 10, "lr_ratios": {"turn_bias": 20}},
        "batch": {"max_columns": 2048, "max_sequences": 32},
        "trainer": {"max_steps": 200, "validate_every": 200, "save_every": 200, "threads": 1},
    }
    values["model"] |= {"max_turn_distance": 5, "dropout": 0.0}
    (folder / "s1.yaml").write_text(yaml.safe_dump(values))
    sampling = SamplingOptions(top_k=5, repetition_penalty=1.0, max_tokens=12)
    given = {
        "sampling": sampling,
        "data": str(world(folder / "data")),
        "output": str(folder / "out"),
        "max_items": 200,
    }
    return BenchmarkConfig(**(given | {"s1": str(folder / "s1.yaml"), "seeds": (0,)} | more))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchmarkConfig, dict]:
    """One whole run."""
    run = config(tmp_path_factory.mktemp("benchmark"), models=("history", "control"))
    return run, benchmark.run(run)


def test_history_is_heard_and_nothing_else_tells_the_style(finished):
    _, whole = finished
    assert whole["chance"] == 0.25 and all(whole["checks"].values()), whole["checks"]
    models = whole["models"]
    assert models["history"]["full"]["agreement"]["mean"] >= 0.85
    assert models["history"]["shuffled"]["agreement_with_given"]["mean"] >= 0.8
    assert abs(models["control"]["full"]["agreement"]["mean"] - 0.25) <= 0.1
    exam = whole["exam"]
    assert exam["token_probe"] == 1.0 and abs(exam["text_probe"]["mean"] - 0.25) < 0.12
    assert len(set(exam["styles"].values())) == 1 and exam["rule_agreement"] == 1.0


def test_the_report_says_it_in_a_table_and_a_figure(finished):
    run, whole = finished
    out = Path(run.output)
    text = (out / "report.md").read_text()
    assert "| history | full history |" in text and "chance 0.25" in text
    assert (out / "figure.png").read_bytes()[:4] == b"\x89PNG"
    assert "data:image/png;base64" in (out / "report.html").read_text()
    kept = json.loads((out / "seed_0" / "result.json").read_text())
    assert (
        kept["models"]["history"]["full"]["agreement"]
        == (whole["models"]["history"]["full"]["agreement"])
    )
    assert set(kept["seconds"]) == {"train history", "train control", "ask"}


def test_a_finished_run_repeats_nothing(finished, monkeypatch: pytest.MonkeyPatch):
    run, whole = finished
    monkeypatch.setattr(benchmark, "train_s1", lambda command: pytest.fail("trained again"))
    monkeypatch.setattr(benchmark, "speak", lambda *a, **k: pytest.fail("asked again"))
    assert json.dumps(benchmark.run(run)) == json.dumps(whole)
    with pytest.raises(BenchmarkError, match="answers other items"):
        benchmark.run(dataclasses.replace(run, max_items=40))


def test_training_reads_no_style_no_test_sentence_and_no_test_voice(finished):
    run, _ = finished
    for name in ("training", "training_control"):
        folder = run.folder(0) / name / "5_sequences"
        assert "style" not in (folder / "s1_train.jsonl").read_text()
        assert "style" not in (folder / "s1_valid.jsonl").read_text()
        for record in read_s1(folder / "s1_train.jsonl"):
            assert {turn.speaker for turn in record.turns} == {"a0", "user"}
            assert not any(is_held_out(record.turns[t].text) for t in record.targets)
    for item in read_items(run.data, most=200):
        assert is_held_out(item.response.text) and item.response.speaker == "a1"


def test_the_control_moves_user_turns_only(tmp_path: Path):
    data = world(tmp_path / "data", dialogues=20)
    write_training(data, tmp_path / "plain")
    write_training(data, tmp_path / "control", control=True)
    sides = [
        list(read_s1(tmp_path / name / "5_sequences" / "s1_train.jsonl"))
        for name in ("plain", "control")
    ]
    own, moved = ([t for record in side for t in record.turns] for side in sides)
    assert [t.codes for t in own if t.index % 2] == [t.codes for t in moved if t.index % 2]
    heard = [[t.codes for t in side if not t.index % 2] for side in (own, moved)]
    assert heard[0] != heard[1]


def test_conditions_hold_what_they_name(tmp_path: Path):
    run = config(tmp_path)
    exam = set_exam(run)
    place = next(k for k, item in enumerate(exam.items) if item.target == 5)
    item, swap, layout = exam.items[place], exam.swaps[place], LayoutConfig(history_turns=4)
    prompts = {name: prompt_of(item, name, layout, swap) for name in CONDITIONS}
    own = 2
    sizes = {name: len(prompt.columns) - own for name, prompt in prompts.items()}
    assert sizes["full"] == sizes["shuffled"] == 4 * (2 + LENGTH)
    assert (sizes["text"], sizes["speech"], sizes["none"]) == (4 * 2, 4 * LENGTH, 0)
    assert [sizes[f"turns={n}"] for n in (1, 2, 3)] == [n * (2 + LENGTH) for n in (1, 2, 3)]
    assert prompts["text"].heard is prompts["none"].heard is None
    assert prompts["full"].heard == item.turns[4].style["name"]
    assert prompts["shuffled"].heard == swap.turns[4].style["name"]
    assert swap.dialogue != item.dialogue and len(swap.turns) >= item.target


def test_another_rule_is_read_from_the_corpus(tmp_path: Path):
    rule = dict(zip(STYLES, ("tired", "gentle", "firm", "excited")))
    data = world(tmp_path, rule=rule, dialogues=20)
    found = read_rule(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    assert found.table == rule and found.agreement == 1.0


def test_items_are_balanced_and_a_lonely_dialogue_has_no_donor(tmp_path: Path):
    items = read_items(world(tmp_path, dialogues=4), most=40)
    assert Counter(item.style for item in items) == dict.fromkeys(STYLES, 10)
    with pytest.raises(BenchmarkError, match="no other dialogue"):
        donors(items[:1], seed=0)


def test_a_deaf_model_fails_the_claims():
    entry = {"agreement": {"mean": 0.25, "low": 0.2, "high": 0.3}}
    models = {"history": dict.fromkeys(CONDITIONS, entry)}
    models["history"]["shuffled"] = entry | {"agreement_with_given": {"mean": 0.25}}
    found = checks(models, 0.25)
    assert [holds for claim, holds in found.items() if claim.startswith("full")] == [False]
    assert not found["intervals of full history and of these three do not overlap"]


def test_a_config_without_the_main_model_is_refused():
    with pytest.raises(ValueError, match="models"):
        BenchmarkConfig(models=("control",))
    with pytest.raises(ValueError, match="seeds"):
        BenchmarkConfig(seeds=(1, 1))


def test_a_missing_corpus_is_a_sentence_and_an_exit_status(tmp_path: Path, caplog):
    assert benchmark.main(["--data", str(tmp_path / "none")]) == 2
    assert "prepare_datasets" in caplog.text
