"""Real dialogues learnt by heart, from the configs a user runs; proofs of minutes, marked slow.

`data/dailytalk/processed` of the reference folder holds three DailyTalk dialogues with the tokens
and HuBERT features the published preparation made of them. Their codes and ours are of different
quantizers, so each stage is judged by itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.audio.spectrogram import linear_spectrogram
from GPT_SoVITS.checkpoints import load_s1, load_s2
from GPT_SoVITS.dialogue.layout import LayoutConfig
from GPT_SoVITS.dialogue.manifest import read_s1, read_s2
from GPT_SoVITS.evaluation import history_swap, reproduction
from GPT_SoVITS.training import train_s1, train_s2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


def prepare(name: str, repository: Path, shared: Path, output: Path) -> Path:
    from prepare_datasets.command import main

    config = repository / "configs" / "data" / f"{name}.yaml"
    raw = shared / "data" / "dailytalk" / "processed"
    with pytest.raises(SystemExit) as end:
        main(["--config", str(config), "--raw", str(raw), "--output", str(output)])
    assert end.value.code == 0
    return output


def test_stage_1_learns_published_tokens_and_listens(
    repository: Path, shared: Path, tmp_path: Path
):
    data = prepare("dailytalk_codes", repository, shared, tmp_path / "data")
    config = repository / "configs" / "s1" / "dailytalk_codes.yaml"
    places = ["--data.folder", str(data), "--run.folder", str(tmp_path / "run")]
    exported = train_s1.main(["--config", str(config), *places])
    model, header = load_s1(exported)
    dialogues = list(read_s1(data / "5_sequences" / "s1_train.jsonl"))
    layout = LayoutConfig(**header.layout)
    result = reproduction.measure(model, dialogues, layout)
    assert result.n_responses == 30
    assert result.top1 >= 0.98
    assert result.share_reproduced >= 0.8
    swap, _ = history_swap.measure(model, dialogues, layout)
    assert swap.difference > 2 * swap.standard_error > 0


def test_stage_2_learns_real_speech(repository: Path, shared: Path, tmp_path: Path):
    data = prepare("dailytalk_hubert", repository, shared, tmp_path / "data")
    config = repository / "configs" / "s2" / "dailytalk_hubert.yaml"
    places = ["--data.folder", str(data), "--run.folder", str(tmp_path / "run")]
    exported = train_s2.main(["--config", str(config), *places])
    lines = (tmp_path / "run" / "s2" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [row for row in map(json.loads, lines) if "train/mel" in row]
    first = np.mean([row["train/mel"] for row in steps if row["step"] <= 100])
    last = np.mean([row["train/mel"] for row in steps if row["step"] > steps[-1]["step"] - 100])
    assert last <= 0.5 * first

    model, _ = load_s2(exported)
    turn = next(read_s2(data / "5_sequences" / "s2_train.jsonl"))
    reference = linear_spectrogram(torch.from_numpy(load_audio(data / turn.audio))[None])
    wave = model.decode(
        torch.tensor([turn.codes]),
        torch.tensor([turn.phonemes]),
        [reference],
        generator=torch.Generator().manual_seed(0),
    )[0, 0].numpy()
    assert 0.01 < np.abs(wave).max() < 0.999, "silent or clipped"
    seconds = wave[: len(wave) // 3200 * 3200].reshape(-1, 3200)
    loudness = np.sqrt((seconds**2).mean(axis=1))
    assert loudness.std() > 0.2 * loudness.mean(), "constant"
