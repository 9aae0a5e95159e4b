"""What surrounds a training: dry run, facts beside checkpoints, averages, did it learn."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from GPT_SoVITS.checkpoints.container import read_safetensors
from GPT_SoVITS.training import train_s1, train_s2
from GPT_SoVITS.training.config import ConfigError
from GPT_SoVITS.training.dry_run import spoken, suggested
from GPT_SoVITS.training.find_lr import HIGHEST, LOWEST, FindLr, suggestion
from GPT_SoVITS.training.loaders import Labelled
from GPT_SoVITS.training.progress import content
from tests.training.tiny import arguments

MAIN = {"s1": train_s1.main, "s2": train_s2.main}


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_dry_run_says_memory_and_time_and_writes_nothing(
    stage: str, prepared_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    MAIN[stage]([*arguments(stage, prepared_demo, tmp_path / "run", 500), "--dry-run"])
    assert "for 500 steps" in caplog.text and "MB" in caplog.text
    key = {"s1": "batch.max_columns", "s2": "batch.max_frames"}[stage]
    assert re.search(rf"--{key} \d{{4,}} would fill 80 %", caplog.text)
    assert not list(tmp_path.rglob("*.*"))


def test_a_suggested_batch_fills_the_memory_and_is_never_smaller() -> None:
    assert suggested(1000, state=200.0, peak=300.0, whole=1000.0) == 6000
    assert suggested(1000, state=200.0, peak=300.0, whole=100.0) == 1000
    assert suggested(1000, state=200.0, peak=300.0, whole=1234.5) == 7800


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_the_rate_finder_suggests_a_rate_and_writes_nothing(
    stage: str, prepared_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    MAIN[stage]([*arguments(stage, prepared_demo, tmp_path / "run", 500), "--find-lr"])
    found = re.search(r"--optimizer.lr (\S+)", caplog.text)
    assert found and LOWEST / 10 <= float(found[1]) <= HIGHEST / 10
    assert not list(tmp_path.rglob("*.*"))


def test_the_suggested_rate_is_a_tenth_of_the_best() -> None:
    curve = [(1e-4, 5.0), (1e-3, 4.0), (1e-2, 3.0), (1e-1, 9.0), (1.0, float("nan"))]
    assert suggestion(curve) == pytest.approx(1e-3)


def test_the_rate_finder_keeps_the_ratios_of_groups() -> None:
    finder = FindLr(0.01)
    groups = [{"lr": 0.0, "initial_lr": 0.01}, {"lr": 0.0, "initial_lr": 0.04}, {"ratio": 0.4}]
    finder.on_before_optimizer_step(None, None, SimpleNamespace(param_groups=groups))  # type: ignore[arg-type]
    assert [g["lr"] for g in groups] == pytest.approx([LOWEST, 4 * LOWEST, 0.4 * LOWEST])


def test_times_are_told_in_words() -> None:
    assert [spoken(t) for t in (5, 90, 3700)] == ["0 min 5 s", "1 min 30 s", "1 h 1 min"]


def test_config_commit_and_data_lie_beside_the_checkpoints(
    prepared_demo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    command = arguments("s1", prepared_demo, tmp_path, 2)
    train_s1.main(command)
    facts = json.loads((tmp_path / "s1" / "run.json").read_text(encoding="utf-8"))
    assert facts["config"]["model"]["hidden_dim"] == 16
    assert facts["config"]["trainer"]["max_steps"] == 2
    assert len(facts["data"]) == 16
    train_s1.main([*command, "--trainer.max_steps=3", "--optimizer.lr=0.5"])
    assert "optimizer.lr was 0.001 and is 0.5" in caplog.text
    assert "max_steps was" not in caplog.text


def test_the_average_is_exported_and_survives_a_stop(prepared_demo: Path, tmp_path: Path) -> None:
    ema, still = "--trainer.ema=0.9", "--optimizer.warmup_steps=100"
    plain = train_s1.main([*arguments("s1", prepared_demo, tmp_path / "a", 6), still])
    whole = train_s1.main([*arguments("s1", prepared_demo, tmp_path / "b", 6), ema, still])
    train_s1.main([*arguments("s1", prepared_demo, tmp_path / "c", 4), ema, still])
    longer = [*arguments("s1", prepared_demo, tmp_path / "c", 6), ema, still]
    resumed, again = train_s1.main(longer).read_bytes(), train_s1.main(longer).read_bytes()
    weights, average = (read_safetensors(path)[0] for path in (plain, whole))
    assert any(not torch.equal(weights[n], average[n]) for n in weights)
    assert again == resumed
    other = read_safetensors(tmp_path / "c" / "talker" / "s1.safetensors")[0]
    assert all(torch.equal(value, other[name]) for name, value in average.items())


@pytest.mark.parametrize(("lr", "moved"), [("0.01", True), ("1e-12", False)])
def test_a_fine_tuning_says_whether_its_output_moved(
    lr: str, moved: bool, prepared_demo: Path, tmp_path: Path
) -> None:
    train_s1.main(arguments("s1", prepared_demo, tmp_path / "base", 2))
    start = f"--run.init_from={tmp_path / 'base' / 'talker'}"
    train_s1.main([*arguments("s1", prepared_demo, tmp_path, 3), start, f"--optimizer.lr={lr}"])
    report = json.loads((tmp_path / "s1" / "learned.json").read_text(encoding="utf-8"))
    assert report["moved"] == moved and report["steps"] == 3


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_a_fine_tuning_is_heard_on_fixed_sentences(
    stage: str, prepared_demo: Path, tmp_path: Path
) -> None:
    for base in MAIN:
        MAIN[base](arguments(base, prepared_demo, tmp_path / "base", 2))
    start = f"--run.init_from={tmp_path / 'base' / 'talker'}"
    common = [a for a in arguments(stage, prepared_demo, tmp_path, 2) if "--model." not in a]
    loud = [
        "--optimizer.lr=0.05",
        "--model.segment_frames=8" if stage == "s2" else "--model.dropout=0",
    ]
    MAIN[stage]([*common, start, *loud, "--lora.rank=2", "--lora.name=anna"])
    folder = tmp_path / f"{stage}_lora" / "samples" / "anna"
    found = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    assert sorted(found) == [f"step={s:08d}_{n}.wav" for s in (0, 2) for n in (0, 1)]
    if stage == "s2":  # two steps of s1 may leave the tokens drawn as they were
        assert found["step=00000000_0.wav"] != found["step=00000002_0.wav"]


def test_the_progress_line_counts_what_is_no_padding(prepared_demo: Path) -> None:
    batch = SimpleNamespace(valid=torch.tensor([[True, True], [True, False]]))
    assert content(batch) == content(Labelled("anna", batch)) == 3
    assert content(SimpleNamespace(spectrogram_lengths=torch.tensor([4, 9]))) == 13


def test_a_compiled_training_is_the_same_training(prepared_demo: Path, tmp_path: Path) -> None:
    plain = train_s1.main(arguments("s1", prepared_demo, tmp_path / "a", 2))
    compiled = [*arguments("s1", prepared_demo, tmp_path / "b", 2), "--trainer.compile=eager"]
    ours, theirs = (read_safetensors(p)[0] for p in (plain, train_s1.main(compiled)))
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(value, theirs[name], atol=1e-6) for name, value in ours.items())


def test_fsdp_says_what_it_needs(prepared_demo: Path, tmp_path: Path) -> None:
    command = [*arguments("s1", prepared_demo, tmp_path, 2), "--trainer.strategy=fsdp"]
    with pytest.raises(ValueError, match="needs CUDA"):
        train_s1.main(command)


def test_stage_2_takes_no_keys_that_are_stage_1s_alone(
    prepared_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = arguments("s2", prepared_demo, tmp_path, 2)
    with pytest.raises(ConfigError, match="fsdp is for stage 1"):
        train_s2.main([*command, "--trainer.strategy=fsdp"])
    with pytest.raises(SystemExit):
        train_s2.main([*command, "--trainer.gradient_clip=1.0"])
    assert "trainer.gradient_clip" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_bf16_trains_with_the_configs_own_optimiser_and_clipping(
    stage: str, prepared_demo: Path, tmp_path: Path
) -> None:
    """Lightning refused to clip before a fused step, and s1 clips unless told otherwise."""
    found = []
    for precision in ("32-true", "bf16-mixed"):
        command = [*arguments(stage, prepared_demo, tmp_path / precision, 2)]
        MAIN[stage]([*command, f"--trainer.precision={precision}"])
        lines = (tmp_path / precision / stage / "metrics.jsonl").read_text(encoding="utf-8")
        found.append(json.loads(lines.splitlines()[0])["train/loss"])
    assert found[0] != found[1] and found[1] == pytest.approx(found[0], rel=0.05)


def test_threads_are_those_of_the_config(
    prepared_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    train_s1.main([*arguments("s1", prepared_demo, tmp_path, 1), "--trainer.threads=3"])
    assert asked == [3]


@pytest.mark.parametrize("stage", ["s1", "s2"])
def test_validation_is_seen_and_heard_in_tensorboard(
    stage: str, prepared_demo: Path, tmp_path: Path
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    MAIN[stage](arguments(stage, prepared_demo, tmp_path, 2))
    board = EventAccumulator(str(tmp_path / stage / "tensorboard"))
    board.Reload()
    tags = board.Tags()
    scalars = {"s1": {"valid/loss", "valid/top3"}, "s2": {"valid/mel", "valid/mcd"}}[stage]
    assert scalars | {"train/loss", "train/padding"} <= set(tags["scalars"])
    if stage == "s2":
        assert tags["images"] == ["valid/mel_target_and_spoken"]
        assert tags["audio"] == ["valid/spoken"]
        (sound,) = board.Audio("valid/spoken")
        assert sound.sample_rate == 32000 and len(sound.encoded_audio_string) > 1000


def test_the_progress_line_of_a_resumed_run_knows_its_end(
    prepared_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_s1.main(arguments("s1", prepared_demo, tmp_path, 4))
    capsys.readouterr()
    train_s1.main(arguments("s1", prepared_demo, tmp_path, 12))
    shown = capsys.readouterr()
    last = (shown.out + shown.err).replace("\r", "\n").split("s1:")[-1]
    assert "12/12" in last and "loss=" in last and "tokens/s=" in last and "padding=" in last
