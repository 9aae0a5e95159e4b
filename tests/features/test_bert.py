"""BERT features from a local folder: layer, trimming, a row per phoneme, zeros, batches."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from GPT_SoVITS.features.bert import BertFeatures
from GPT_SoVITS.features.model_folder import ModelFolderError
from GPT_SoVITS.text.sequence import PhonemeSequence, Segment

transformers = pytest.importorskip("transformers")
CHARACTERS = "今天好。,a"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked LM in the published layout, stored in fp16."""
    torch.manual_seed(0)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
    )
    path = tmp_path_factory.mktemp("chinese-roberta-wwm-ext-large")
    transformers.BertForMaskedLM(config).half().save_pretrained(path)
    (path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    return path


def test_features_are_hidden_state_minus_three_without_the_marks(folder: Path) -> None:
    model = transformers.BertForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([[2, 5, 6, 7, 8, 3]])
    with torch.inference_mode():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert len(states) == 5
    expected = states[-3][0, 1:-1].numpy()
    assert np.allclose(BertFeatures(folder).characters("今天好。"), expected, atol=1e-6)


def test_a_characters_row_is_repeated_for_its_phonemes(folder: Path) -> None:
    features = BertFeatures(folder)
    rows, each = features.phones("今天。", [2, 2, 1]), features.characters("今天。")
    assert np.array_equal(rows, each[[0, 0, 1, 1, 2]])
    with pytest.raises(ValueError, match="word2ph"):
        features.phones("今天。", [2, 2])


def segment(language: str, normalized: str, n: int, word2ph: tuple[int, ...] | None) -> Segment:
    names = ("a",) * n
    return Segment(
        language=language, text=normalized, normalized=normalized, phonemes=names, word2ph=word2ph
    )


def test_other_languages_are_zeros_in_their_place(folder: Path) -> None:
    parts = (segment("en", "a", 3, None), segment("zh", "好。", 3, (2, 1)))
    sequence = PhonemeSequence(
        phonemes=("a",) * 6,
        ids=(1,) * 6,
        word2ph=None,
        normalized="a好。",
        language="mixed",
        segments=parts,
    )
    rows = BertFeatures(folder)(sequence)
    assert rows.shape == (6, 16) and not rows[:3].any()
    assert np.array_equal(rows[3:], BertFeatures(folder).phones("好。", (2, 1)))


def test_texts_together_equal_texts_alone_also_beyond_the_longest(folder: Path) -> None:
    features = BertFeatures(folder)
    texts = ["今天。", "", "好好好", "今" * 700]
    for text, rows in zip(texts, features.characters_of(texts)):
        assert rows.shape == (len(text), 16)
        assert np.allclose(rows, features.characters(text), atol=1e-5)


def test_half_precision_is_close_and_unknown_characters_have_a_row(folder: Path) -> None:
    full, half = BertFeatures(folder), BertFeatures(folder, half=True)
    assert np.abs(full.characters("今龘A") - half.characters("今龘A")).max() < 0.05
    assert full.characters("今龘A").shape == (3, 16)


def test_what_overflows_in_half_precision_is_read_again_in_fp32(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loud = tmp_path / "chinese-roberta-wwm-ext-large"
    shutil.copytree(folder, loud)
    model = transformers.BertModel.from_pretrained(loud, dtype=torch.float32)
    model.encoder.layer[0].intermediate.dense.bias.data.fill_(300.0)  # its square is beyond fp16
    model.encoder.layer[0].output.dense.weight.data.fill_(60.0)
    model.save_pretrained(loud)
    expected = BertFeatures(loud, half=False).characters("今天。")
    with caplog.at_level(logging.WARNING):
        found = BertFeatures(loud, half=True).characters("今天。")
    assert "again in fp32" in caplog.text
    assert np.isfinite(found).all() and np.array_equal(found, expected)


def test_a_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="chinese-roberta"):
        BertFeatures(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelFolderError, match="gpt2"):
        BertFeatures(tmp_path)
