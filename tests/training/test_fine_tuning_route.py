"""The whole way of a fine-tuning: published files and HuBERT -> corpus -> s2 -> s1 -> speech."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.audio.io import load_audio
from GPT_SoVITS.checkpoints import load_s2, save_model
from GPT_SoVITS.checkpoints.commands import import_checkpoint
from GPT_SoVITS.checkpoints.export import export_file
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.dialogue.manifest import read_s2
from GPT_SoVITS.features.hubert import HubertFeatures
from GPT_SoVITS.inference.cli import main as reply_to
from GPT_SoVITS.s1_gpt.model import SemanticGPT
from GPT_SoVITS.s2_vits.model import ConversationalVITS
from GPT_SoVITS.training import train_s1, train_s2
from prepare_datasets.command import main as prepare
from prepare_datasets.demo_corpus import CorpusPlan, write_corpus
from tests.features.test_hubert import tiny_model
from tests.training.test_warm_start import ROOT, S1, S2


def published(folder: Path) -> list[str]:
    """Small random s1 and s2 as the published files they would be."""
    torch.manual_seed(1)
    files = []
    for kind, network, config in (("s1", SemanticGPT, S1), ("s2", ConversationalVITS, S2)):
        model = network(config)  # type: ignore[operator]
        if kind == "s2":  # the codebook of a new network is empty
            model.quantizer.embed.normal_(std=0.1)
        own = save_model(folder / f"own.{kind}", model, kind=kind, config=config)
        ending = "ckpt" if kind == "s1" else "pth"
        files.append(str(export_file(own, folder / f"published-{kind}.{ending}")))
    return [str(folder / "published-s1.ckpt"), str(folder / "published-s2.pth")]


def config(name: str) -> list[str]:
    return ["--config", str(ROOT / "configs" / name)]


def test_a_talker_is_fine_tuned_from_published_files_and_speaks(tmp_path: Path) -> None:
    hubert, base = tmp_path / "chinese-hubert-base", tmp_path / "base"
    tiny_model(hubert, hidden_size=768)
    given = [*published(tmp_path), "--output", str(base), "--hubert", str(hubert)]
    assert import_checkpoint(given) == 0
    data, run = tmp_path / "data", tmp_path / "run"

    write_corpus(tmp_path / "raw", CorpusPlan(dialogues=3, exchanges=(2, 2)))
    places = ["--raw", str(tmp_path / "raw"), "--output", str(data), "--card", "false"]
    feature = ["--feature.kind", "hubert", "--hubert", str(hubert)]
    codebook = ["--quantizer.tokenizer", str(base)]
    with pytest.raises(SystemExit) as end:
        prepare([*config("data/demo_tiny.yaml"), *places, *feature, *codebook])
    assert end.value.code == 0
    codebook_id = load_tokenizer(base / "tokenizer.safetensors")[1].quantizer_id
    meta = json.loads((data / "5_sequences" / "meta.json").read_text(encoding="utf-8"))
    assert meta["quantizer_id"] == codebook_id
    turn = next(iter(read_s2(data / "5_sequences" / "s2_train.jsonl")))
    heard = HubertFeatures(hubert).extract(load_audio(data / turn.audio))
    network, _ = load_s2(base / "s2.safetensors")
    codes = network.extract_codes(torch.from_numpy(heard.T[None].copy()))
    assert codes.flatten().tolist() == list(turn.codes) and len(set(turn.codes)) > 1

    common = ["--data.folder", str(data), "--run.folder", str(run), "--trainer.accelerator=cpu"]
    common += ["--trainer.max_steps=2", "--trainer.validate_every=2", "--trainer.save_every=2"]
    common += ["--run.init_from", str(base), "--trainer.max_valid_batches=1"]
    width = ["--optimizer.discriminator_width=0.0625", "--batch.max_turns=2"]
    train_s2.main([*config("s2/finetune_gpt_sovits.yaml"), *common, *width])
    train_s1.main([*config("s1/finetune_gpt_sovits.yaml"), *common])
    _, header = load_s2(run / "talker" / "s2.safetensors")
    assert header.quantizer_id == codebook_id and "imported" in header.source

    heard_turn = {"speaker": "user", "text": "Where are you?", "audio": str(data / turn.audio)}
    values = {"turns": [heard_turn], "response": {"speaker": "agent", "text": "At home."}}
    asked = tmp_path / "dialogue.json"
    asked.write_text(json.dumps(values | {"reference_audio": str(data / turn.audio)}))
    options = ["--model", str(run / "talker"), "--output", str(tmp_path / "said.wav")]
    assert reply_to([*options, "--dialogue", str(asked), "--max-seconds", "1"]) == 0
    assert (tmp_path / "said.wav").stat().st_size > 1000
