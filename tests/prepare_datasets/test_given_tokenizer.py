"""A corpus encoded with the tokenizer of an earlier one, or of imported weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer, save_tokenizer
from GPT_SoVITS.dialogue.manifest import read_s2
from GPT_SoVITS.s2_vits.semantic_tokenizer import SemanticTokenizer
from prepare_datasets.command import main
from prepare_datasets.demo_corpus import CorpusPlan, write_corpus


def prepare(repository: Path, folder: Path, *more: str) -> int:
    config = repository / "configs" / "data" / "demo_tiny.yaml"
    places = ["--raw", str(folder / "raw"), "--output", str(folder / "data")]
    with pytest.raises(SystemExit) as end:
        main(["--config", str(config), *places, *more])
    return int(end.value.code or 0)


def quantizer_of(data: Path) -> str:
    return json.loads((data / "5_sequences" / "meta.json").read_text())["quantizer_id"]


def test_tokens_are_those_of_the_given_codebook(
    prepared_demo: Path, repository: Path, tmp_path: Path
):
    write_corpus(tmp_path / "raw", CorpusPlan(dialogues=3, first=50, exchanges=(2, 2)))
    given = prepared_demo / "4_semantic"
    assert prepare(repository, tmp_path, "--quantizer.tokenizer", str(given)) == 0
    data = tmp_path / "data"
    assert quantizer_of(data) == quantizer_of(prepared_demo)
    copy = data / "4_semantic" / "tokenizer.safetensors"
    assert copy.read_bytes() == (given / "tokenizer.safetensors").read_bytes()
    n_codes = load_tokenizer(copy)[1].config["n_codes"]
    assert all(max(turn.codes) < n_codes for turn in read_s2(data / "5_sequences/s2_train.jsonl"))


def test_another_tokenizer_never_replaces_a_frozen_one_in_silence(
    prepared_demo: Path, repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_corpus(tmp_path / "raw", CorpusPlan(dialogues=3, first=50, exchanges=(2, 2)))
    assert prepare(repository, tmp_path) == 0
    own = quantizer_of(tmp_path / "data")
    given = ["--quantizer.tokenizer", str(prepared_demo / "4_semantic")]
    assert prepare(repository, tmp_path, *given) == 2
    assert "--refit" in caplog.text and own in caplog.text
    assert quantizer_of(tmp_path / "data") == own
    assert prepare(repository, tmp_path, *given, "--refit", "true") == 0
    assert quantizer_of(tmp_path / "data") == quantizer_of(prepared_demo)


def test_a_tokenizer_of_other_features_is_refused(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_corpus(tmp_path / "raw", CorpusPlan(dialogues=2, exchanges=(2, 2)))
    torch.manual_seed(0)
    hubert = tmp_path / "hubert.safetensors"
    save_tokenizer(hubert, SemanticTokenizer(768, 768, 8), feature={"kind": "hubert", "dim": 768})
    assert prepare(repository, tmp_path, "--quantizer.tokenizer", str(hubert)) == 2
    assert "another feature" in caplog.text


def test_a_missing_tokenizer_is_named(
    repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    write_corpus(tmp_path / "raw", CorpusPlan(dialogues=2, exchanges=(2, 2)))
    assert prepare(repository, tmp_path, "--quantizer.tokenizer", str(tmp_path / "none")) == 2
    assert "quantizer.tokenizer" in caplog.text
