"""A prepared corpus leaves in the forms of other projects, and each comes back as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GPT_SoVITS.audio.io import load_audio
from prepare_datasets.export_corpus import Corpus, main
from prepare_datasets.jsonl import Record
from prepare_datasets.readers.published import read_published
from prepare_datasets.readers.rows import turns_of
from prepare_datasets.readers.tables import list_rows, table_rows
from prepare_datasets.readers.turn import RawTurn
from prepare_datasets.source import SourceConfig
from tests.prepare_datasets.runs import prepare
from tests.prepare_datasets.sounds import write_corpus, write_turn


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three dialogues, one of them with names of its own, one line in Chinese."""
    folder = tmp_path_factory.mktemp("export")
    raw = write_corpus(folder / "raw", dialogues=2)
    for turn in range(3):
        write_turn(raw / "my day", turn, "amy" if turn % 2 else "bob jr", "my day", seed=turn)
    (raw / "my day" / "1_amy_dmy day.txt").write_text("你好，朋友。", encoding="utf-8")
    (raw / "my day" / "2_bob jr_dmy day.txt").write_text('Yes | "no".', encoding="utf-8")
    labels = {"0": {"0": {"emotion": "anger"}}}
    (raw / "metadata.json").write_text(json.dumps(labels), encoding="utf-8")
    assert prepare(raw, folder / "data", "--source.language", "auto") == 0
    return folder / "data"


@pytest.fixture(scope="module")
def turns(data: Path) -> list[Record]:
    return list(Corpus(data).turns())


def exported(data: Path, form: str, output: Path) -> Path:
    assert main(["--data", str(data), "--form", form, "--output", str(output)]) == 0
    return output


def told(turn: Any) -> tuple[str, str, str, str]:
    return turn["id"], turn["speaker"], turn["text"], turn["language"]


@pytest.mark.parametrize("form", ["list", "jsonl", "csv"])
def test_manifests_are_read_back(data: Path, turns: list[Record], tmp_path: Path, form: str):
    path = exported(data, form, tmp_path) / f"corpus.{form}"
    (data / path.name).write_bytes(path.read_bytes())  # beside the recordings it names
    rows = (list_rows if form == "list" else table_rows)(data / path.name, data)
    source = SourceConfig(corpus="t", language="auto")
    found = {one.id: one.as_json() for one in turns_of(rows, data, source)}  # type: ignore[union-attr]
    assert sorted(found) == sorted(turn["id"] for turn in turns)
    for turn in turns:
        back = found[turn["id"]]
        expected = told(turn)
        if form == "list":  # it has no quotes: a bar in a text becomes a comma
            expected = (*expected[:2], turn["text"].replace("|", ","), turn["language"])
        assert told(back) == expected
        assert back["audio"] == turn["audio"]
        assert form == "list" or back.get("style") == turn.get("style")


def test_gpt_talkers_folder_is_read_back(data: Path, turns: list[Record], tmp_path: Path):
    folder = exported(data, "gpt_talker", tmp_path)
    found = list(read_published(folder, corpus="t", take="codes"))
    assert all(isinstance(one, RawTurn) for one in found) and len(found) == len(turns)
    places = {(one.dialogue, one.index): one for one in found}  # type: ignore[union-attr]
    for turn in turns:
        dialogue = f"t/{turn['dialogue'].partition('/')[2].replace(' ', '-')}"
        one = places[dialogue, turn["index"]]
        assert one.text == turn["text"].replace("|", ",")
        assert one.codes == tuple(turn["codes"])
        assert one.phonemes == tuple(turn["phonemes"])
        sound = load_audio(folder / one.audio)
        assert np.allclose(sound, load_audio(data / turn["audio"]), atol=1.01 / 32768)
    rows = [
        line.split("\t") for line in (folder / "2-name2text.txt").read_text("utf-8").splitlines()
    ]
    assert {len(row) for row in rows} == {7}
    assert all(len(row[0].split("_")) == 3 and row[0].split("_")[1].isdecimal() for row in rows)
    lengths = {row[0]: json.loads(row[4]) for row in rows}
    assert sorted(map(len, lengths.values())) == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    # train.list: name, codes and phonemes of the window, as the published step five counts them
    for line in (folder / "train.list").read_text("utf-8").splitlines():
        name, _, phonemes = json.loads(line.replace("'", '"'))
        assert phonemes == sum(lengths[name])


def test_gpt_sovits_folder_is_read_back(data: Path, turns: list[Record], tmp_path: Path):
    folder = exported(data, "gpt_sovits", tmp_path / "theirs")
    found = list(read_published(folder, corpus="t", take="codes"))
    assert sorted(one.codes for one in found) == sorted(tuple(t["codes"]) for t in turns)  # type: ignore[union-attr]
    assert sorted(one.phonemes for one in found) == sorted(tuple(t["phonemes"]) for t in turns)  # type: ignore[union-attr]
    assert len({one.dialogue for one in found}) == len(turns)  # type: ignore[union-attr]
    options = ["--source.reader", "published", "--feature.kind", "imported_codes"]
    options += ["--feature.origin", "ours", "--sequences.first_turns", "true"]
    assert prepare(folder, tmp_path / "again", *options) == 0
    broken = folder / "2-name2text.txt"
    broken.write_text(broken.read_text("utf-8") + "x.wav\tAH0\n", encoding="utf-8")
    assert prepare(folder, tmp_path / "again", *options) == 3


def test_a_folder_that_is_not_prepared_is_refused(tmp_path: Path):
    assert main(["--data", str(tmp_path), "--form", "list", "--output", str(tmp_path)]) == 2


def test_speaker_numbers_stay_those_of_the_corpus(tmp_path: Path):
    for turn in range(3):  # whoever speaks first is 1 here
        write_turn(tmp_path / "raw" / "5", turn, str(1 - turn % 2), "5", seed=turn)
    assert prepare(tmp_path / "raw", tmp_path / "data") == 0
    folder = exported(tmp_path / "data", "gpt_talker", tmp_path / "theirs")
    names = [line.split("\t")[0] for line in (folder / "2-name2text.txt").open(encoding="utf-8")]
    assert names == ["0_1_d5.wav", "1_0_d5.wav", "2_1_d5.wav"]
    speakers = [line.split("\t")[6] for line in (folder / "2-name2text.txt").open(encoding="utf-8")]
    assert speakers[2].strip() == "['1', '0', '1']"
