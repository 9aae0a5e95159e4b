"""A talker folder is read as a whole: parts that do not fit together are refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from GPT_SoVITS.checkpoints.container import CheckpointError, write_safetensors
from GPT_SoVITS.checkpoints.talker_folder import read_talker, write_talker


def part(path: Path, **values: Any) -> Path:
    return write_safetensors(path, {"w": torch.zeros(1)}, header=values)


def make(
    folder: Path, *, s1: dict[str, Any] | None = None, s2: dict[str, Any] | None = None
) -> Path:
    common = {"config": {}, "quantizer_id": "aa", "symbols": "v2", "feature": {"kind": "logmel"}}
    part(folder / "s1.safetensors", **(common | {"kind": "s1"} | (s1 or {})))
    part(folder / "s2.safetensors", **(common | {"kind": "s2"} | (s2 or {})))
    return folder


def test_a_complete_folder_is_read(tmp_path: Path) -> None:
    folder = make(tmp_path / "talker")
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"RIFF")
    tokens = part(
        tmp_path / "t.safetensors",
        kind="tokenizer",
        quantizer_id="aa",
        feature={"kind": "logmel", "bins": 80},
    )
    write_talker(folder, tokenizer=tokens, settings={"lexicon": None})
    write_talker(folder, speakers={"demo/anna": {"clip": clip, "seconds": 2.5, "turn": "d/0/1"}})
    write_talker(folder, settings={"english_dictionary": "cmudict"})
    talker = read_talker(folder)
    assert talker.feature == {"kind": "logmel", "bins": 80}
    assert talker.settings["lexicon"] is None
    assert talker.settings["english_dictionary"] == "cmudict"
    entry = talker.speakers["demo/anna"]
    assert entry.clip.read_bytes() == b"RIFF" and entry.seconds == 2.5
    assert entry.clip.resolve().is_relative_to(folder.resolve())
    assert talker.tokenizer_path is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantizer_id": "bb"}, "quantizer_id"),
        ({"symbols": "v1"}, "symbols"),
        ({"tags": ["x"]}, "tags"),
    ],
)
def test_parts_trained_apart_are_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = make(tmp_path / "talker", s2=change)
    with pytest.raises(CheckpointError, match=f"{said} differs"):
        read_talker(folder)


def test_a_tokenizer_of_another_corpus_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "talker")
    part(folder / "tokenizer.safetensors", kind="tokenizer", quantizer_id="cc", feature={})
    with pytest.raises(CheckpointError, match="tokenizer.safetensors says 'cc'"):
        read_talker(folder)


def test_a_missing_part_says_how_to_make_it(tmp_path: Path) -> None:
    folder = make(tmp_path / "talker")
    (folder / "s1.safetensors").unlink()
    with pytest.raises(CheckpointError, match="train_s1.py"):
        read_talker(folder)
    with pytest.raises(CheckpointError, match="no such talker folder"):
        read_talker(tmp_path / "none")


def test_swapped_parts_and_escaping_clips_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", s1={"kind": "s2"})
    with pytest.raises(CheckpointError, match="holds an s2 model"):
        read_talker(folder)
    folder = make(tmp_path / "b")
    clip = {"speakers": {"x": {"clip": "../../secret.wav"}}}
    (folder / "speakers.json").write_text(json.dumps(clip))
    with pytest.raises(CheckpointError, match="must lie in the folder"):
        read_talker(folder)


def test_unknown_header_keys_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "a", s1={"surprise": 1})
    with pytest.raises(CheckpointError, match="surprise"):
        read_talker(folder)
