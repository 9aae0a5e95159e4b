"""The polyphone model and the tagger: used where given, an error where their files lack."""

from __future__ import annotations

import json

import numpy as np
import pytest

from GPT_SoVITS.text import Frontend, TextConfig, TextError
from GPT_SoVITS.text.chinese.polyphone_model import PolyphoneModel
from GPT_SoVITS.text.chinese.pronounce import pronounce
from GPT_SoVITS.text.english.tagger import FILES


class Session:
    """Stands in for onnxruntime's: prefers the last label that is allowed."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, np.ndarray]] = []

    def run(self, _, inputs):
        self.inputs.append(inputs)
        labels = inputs["phoneme_mask"].shape[1]
        return [np.linspace(0.1, 0.9, labels, dtype=np.float32)[None]]


@pytest.fixture()
def model(tmp_path) -> PolyphoneModel:
    chars = "长\tㄓㄤ3\n长\tㄔㄤ2\n还\tㄏㄞ2\n还\tㄏㄨㄢ2\n"
    (tmp_path / "POLYPHONIC_CHARS.txt").write_text(chars, encoding="utf-8")
    plain = {"ㄓㄤ": "zhang", "ㄔㄤ": "chang", "ㄏㄞ": "hai", "ㄏㄨㄢ": "huan"}
    path = tmp_path / "bopomofo_to_pinyin_wo_tune_dict.json"
    path.write_text(json.dumps(plain), encoding="utf-8")
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n长\n他", encoding="utf-8")
    return PolyphoneModel(tmp_path, Session())


def test_the_model_reads_single_polyphones_and_phrases_stay(model):
    spoken = pronounce("他还长", model=model)
    assert [part.pinyin for part in spoken] == ["ta1", "huan2", "chang2"]
    assert [part.pinyin for part in pronounce("还是", model=model)] == ["hai2", "shi4"]


def test_the_model_sees_the_characters_around_and_only_allowed_readings(model):
    assert model.readings("他长", [0, 1]) == {1: "chang2"}
    inputs = model.session.inputs[-1]
    assert inputs["input_ids"].tolist() == [[2, 5, 4, 3]]
    assert inputs["position_ids"].tolist() == [2]
    assert inputs["phoneme_mask"].sum() == 2


def test_the_window_is_sixteen_characters_each_side(model):
    model.readings("他" * 40 + "长" + "他" * 40, [40])
    assert model.session.inputs[-1]["input_ids"].shape == (1, 35)
    assert model.session.inputs[-1]["position_ids"].tolist() == [17]


def test_the_tagger_decides_homographs(tmp_path):
    weights, tagdict = {}, {"i": "PRP", "the": "DT", "record": "VB"}
    for name, content in zip(FILES, (weights, tagdict, ["DT", "PRP", "VB"])):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    noun = Frontend()("the record", "en").phonemes
    verb = Frontend(TextConfig(english_tagger=str(tmp_path)))("the record", "en").phonemes
    assert " ".join(noun) == "DH AH0 R EH1 K ER0 D"
    assert " ".join(verb) == "DH AH0 R IH0 K AO1 R D"


@pytest.mark.parametrize("field", ["polyphone_model", "english_tagger"])
def test_a_folder_without_the_files_is_an_error_that_names_them(tmp_path, field):
    with pytest.raises(TextError, match="lacks"):
        Frontend(TextConfig(**{field: str(tmp_path)}))
