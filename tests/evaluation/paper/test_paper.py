"""Rows of the paper's tables: trained in stages, scored, printed beside what was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from GPT_SoVITS.checkpoints import load_s1
from GPT_SoVITS.evaluation.paper import run as paper
from GPT_SoVITS.evaluation.paper.config import PaperConfig, Stage
from tests.training.tiny import S1_MODEL, S2_MODEL

STEPS = ["--trainer.max_steps=2", "--trainer.save_every=2", "--trainer.log_every=1"]
STEPS += [
    "--trainer.validate_every=2",
    "--trainer.accelerator=cpu",
    "--trainer.max_valid_batches=1",
]
THREE = (
    Stage("single", history=False),
    Stage("collection", networks=("s1",)),
    Stage("recording"),
)


def row(data: Path, output: Path, **more) -> PaperConfig:
    values = {
        "table": "t",
        "row": "A",
        "published": {"ssim": 0.9, "dtwd": 42.0},
        "published_data": "NCSSD-EN",
        "corpora": dict.fromkeys(("single", "collection", "recording", "both"), str(data)),
        "train_s1": tuple(S1_MODEL + STEPS),
        "train_s2": tuple(S2_MODEL + STEPS),
        "max_items": 2,
        "output": str(output),
    }
    return PaperConfig(**(values | more))


def test_three_stages_then_a_table(prepared_demo: Path, tmp_path: Path, monkeypatch, capsys):
    trained: list[tuple[str, list[str]]] = []
    for name in ("train_s1", "train_s2"):
        own = getattr(paper, name)

        def note(command, own=own, name=name):
            trained.append((name, command))
            return own(command)

        monkeypatch.setattr(paper, name, note)
    abab = row(prepared_demo, tmp_path, stages=THREE)
    result = paper.run(abab)
    assert [name for name, _ in trained] == ["train_s2", "train_s1"] + ["train_s1"] + [
        "train_s2",
        "train_s1",
    ]
    single, later = trained[1][1], trained[2][1]
    assert single[single.index("--layout.history_turns") + 1] == "0"
    assert later[later.index("--layout.history_turns") + 1] == "2"
    assert "--run.init_from" in later and "--run.init_from" not in single
    assert set(result["ours"]) == {"ssim", "dtwd", "dtwd_z"} and result["items"] == 2
    last = Path(result["talker"])
    assert (last / "tokenizer.safetensors").is_file() and (last / "speakers.json").is_file()

    trained.clear()
    paper.run(row(prepared_demo, tmp_path, stages=THREE, row="N = 1", turns=1))
    assert trained == []  # the same models, another test
    grouped = row(prepared_demo, tmp_path, stages=(Stage("both"),), row="AABB", order="grouped")
    assert load_s1(Path(paper.run(grouped)["talker"]) / "s1.safetensors")[1].layout["order"] == (
        "grouped"
    )
    rows = paper.rows_of(tmp_path, "t")
    assert [r["row"] for r in rows] == ["A", "AABB", "N = 1"]
    text = paper.table(rows)
    assert "| A | 0.900 |" in text and "other data than the paper's NCSSD-EN" in text
    assert "SSIM: " in text and " of 3 pairs of rows" in text


def made(name: str, published: float, ours: float, *, data: str = "demo") -> dict:
    entry = {"mean": ours, "low": ours - 0.01, "high": ours + 0.01}
    return {
        "row": name,
        "published": {"dtwd": published},
        "published_data": "DailyTalk",
        "data": data,
        "items": 9,
        "ours": {"dtwd": entry},
    }


def test_the_order_of_rows_is_compared_with_the_papers():
    rows = [made("a", 40, 2.0), made("b", 50, 3.0), made("c", 60, 2.5)]
    assert paper.orderings(rows) == [
        "DTWD: 2 of 3 pairs of rows in the paper's order; intervals of 3 do not overlap."
    ]
    assert "other data" in paper.table(rows)
    assert "other data" not in paper.table([made("a", 40, 2.0, data="dailytalk")])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"published": {"sim": 1.0}}, "sim"),
        ({"corpora": {"single": "x"}}, "a folder for each"),
        ({"turns": 0}, "count the current turn"),
        ({"stages": ()}, "at least one training"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, more: dict, message: str):
    with pytest.raises(ValueError, match=message):
        row(tmp_path, tmp_path, **more)


def test_a_stage_that_leaves_a_network_untrained_is_refused(prepared_demo: Path, tmp_path: Path):
    config = row(prepared_demo, tmp_path, stages=(Stage("both", networks=("s1",)),))
    with pytest.raises(ValueError, match="must train both"):
        paper.run(config)
