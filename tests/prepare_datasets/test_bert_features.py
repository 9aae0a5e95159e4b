"""BERT features of a corpus: half precision, by turn id, resumable, and heard by the training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from GPT_SoVITS.dialogue.layout import BERT_DIM, LayoutConfig
from GPT_SoVITS.features.store import FeatureStore
from GPT_SoVITS.s1_gpt.batch import collate
from GPT_SoVITS.text import Frontend, PhonemeSequence, TextConfig
from GPT_SoVITS.training import train_s1
from GPT_SoVITS.training.prepared import PreparedData
from GPT_SoVITS.training.s1_data import S1Dataset
from prepare_datasets.bert_features import HAN, chinese_turns, main, write_features
from tests.training.tiny import arguments


def encoder(spoken: PhonemeSequence) -> np.ndarray:
    """Stands for BERT: a row of its own for every phoneme."""
    rows = np.asarray(spoken.ids, np.float32)[:, None] / 500
    return rows * np.cos(np.arange(BERT_DIM, dtype=np.float32))


@pytest.fixture
def corpus(prepared_demo: Path, tmp_path: Path) -> Path:
    """A copy that may be written into."""
    return shutil.copytree(prepared_demo, tmp_path / "data")


def write(corpus: Path) -> tuple[int, int]:
    meta = json.loads((corpus / "5_sequences" / "meta.json").read_text(encoding="utf-8"))
    return write_features(corpus, Frontend(TextConfig(symbols=meta["symbols"])), encoder)


def test_every_chinese_turn_has_a_row_per_phoneme_in_half_precision(corpus: Path) -> None:
    turns = {turn.id: turn for turn in chinese_turns(corpus)}
    assert turns and write(corpus) == (len(turns), 0)
    store = FeatureStore(corpus / "2_text" / "bert")
    assert set(store) == set(turns)
    for name, turn in turns.items():
        assert store[name].dtype == np.float16
        assert store[name].shape == (len(turn.phonemes), BERT_DIM)
    before = (corpus / "2_text" / "bert" / "index.jsonl").read_bytes()
    assert write(corpus) == (len(turns), 0), "what is there stays"
    assert (corpus / "2_text" / "bert" / "index.jsonl").read_bytes() == before


def test_phonemes_of_another_hand_get_no_features(corpus: Path) -> None:
    path = corpus / "5_sequences" / "s1_train.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    record = next(r for r in lines if HAN.search(r["turns"][0]["text"]))
    record["turns"][0]["phonemes"].pop()
    path.write_text("".join(json.dumps(r) + "\n" for r in lines), encoding="utf-8")
    assert write(corpus)[1] == 1
    assert record["turns"][0]["id"] not in FeatureStore(corpus / "2_text" / "bert")


def test_batches_hold_them_where_the_text_is_and_the_training_hears_them(
    corpus: Path, tmp_path: Path
) -> None:
    without = train_s1.main(arguments("s1", corpus, tmp_path / "without", 2)).read_bytes()
    write(corpus)
    data = PreparedData(corpus)
    dataset = S1Dataset(data.manifest("s1", "train"), LayoutConfig(), bert=data.bert("auto"))
    batch = collate([dataset[0, i] for i in range(len(dataset))])
    assert batch.bert is not None
    heard = batch.bert.abs().sum(-1) > 0
    assert heard.any() and not (heard & ~batch.is_text).any() and not heard[~batch.valid].any()
    on, off = (
        train_s1.main([*arguments("s1", corpus, tmp_path / key, 2), f"--data.bert={key}"])
        for key in ("auto", "off")
    )
    assert on.read_bytes() != without and off.read_bytes() == without


def test_a_folder_that_is_no_corpus_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="run `python -m prepare_datasets` first"):
        main(["--folder", str(tmp_path), "--bert", str(tmp_path)])
