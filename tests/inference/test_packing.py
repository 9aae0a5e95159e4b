"""A packed talker is half as large, says what the whole one says, and tells what it lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from GPT_SoVITS import Dialogue, Talker, Turn
from GPT_SoVITS.__main__ import main
from GPT_SoVITS.checkpoints import load_s2
from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.checkpoints.errors import CheckpointError
from GPT_SoVITS.checkpoints.format import read_header
from GPT_SoVITS.checkpoints.packing import REFUSED, pack_talker
from GPT_SoVITS.checkpoints.talker_folder import read_talker, write_talker
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.inference.options import GenerationOptions


def size(folder: Path, name: str) -> int:
    return (folder / name).stat().st_size


def test_half_the_size_and_nearly_the_same_numbers(talker_folder: Path, tmp_path: Path) -> None:
    packed = pack_talker(talker_folder, tmp_path / "packed")
    for name in ("s1.safetensors", "s2.safetensors"):
        assert size(packed, name) < 0.6 * size(talker_folder, name)
        before, after = (read_safetensors(f / name)[0] for f in (talker_folder, packed))
        for key, value in after.items():
            assert value.dtype in (torch.float16, torch.int64, torch.bool)
            torch.testing.assert_close(value.to(before[key]), before[key], atol=1e-6, rtol=1e-3)
    assert read_header(packed / "s2.safetensors").absent == ("posterior_encoder.",)
    assert load_s2(packed / "s2.safetensors")[0].generator is not None


def test_the_tokenizer_hears_the_same_without_its_running_sums(
    talker_folder: Path, tmp_path: Path
) -> None:
    packed, name = pack_talker(talker_folder, tmp_path / "packed"), "tokenizer.safetensors"
    assert size(packed, name) < 0.6 * size(talker_folder, name)
    (whole, header), (small, same) = (load_tokenizer(f / name) for f in (talker_folder, packed))
    features = torch.randn(1, whole.ssl_dim, 60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(whole.encode(features), small.encode(features)) and header == same
    table = small.quantizer
    torch.testing.assert_close(table.embed_avg / table.cluster_size[:, None], table.embed)
    before = table.embed.clone()
    table(small.project(features), update=True)  # where it learns on, no row counts as dead
    assert (table.embed - before).norm() < 0.2 * before.norm()


def test_what_half_precision_cannot_hold_is_refused(talker_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(talker_folder, tmp_path / "loud")
    path = tmp_path / "loud" / "s2.safetensors"
    tensors, header = read_safetensors(path)
    tensors["quantizer.embed"][0, 0] = 1e6
    write_safetensors(path, tensors, header=header)
    with pytest.raises(CheckpointError, match="quantizer.embed has values half precision"):
        pack_talker(tmp_path / "loud", tmp_path / "packed")
    assert not (tmp_path / "packed").exists()


def test_it_speaks_with_the_same_voices(talker_folder: Path, tmp_path: Path) -> None:
    whole, packed = read_talker(talker_folder), pack_talker(talker_folder, tmp_path / "packed")
    assert set(read_talker(packed).speakers) == set(whole.speakers)
    name = next(iter(whole.speakers))
    dialogue = Dialogue((), Turn(name, "Hello there.", "en"))
    options = GenerationOptions(precision="fp32", max_seconds=1.0, top_k=1)
    said = [
        Talker.load(folder, device="cpu").speak(dialogue, options=options)
        for folder in (talker_folder, packed)
    ]
    assert said[0].codes[:5] == said[1].codes[:5]
    assert len(said[1].samples) > 0 and float(said[1].samples.std()) > 0


def test_what_lies_beside_the_networks_goes_along(talker_folder: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "elsewhere" / "deep" / "packed"
    shutil.copytree(talker_folder, source)
    (source / "sv.safetensors").write_bytes(b"speaker network")
    (source / "words.txt").write_text("talker T AO1 K ER0\n", encoding="utf-8")
    write_talker(source, settings={"bert": "../bert", "lexicon": "words.txt"})
    before, after = read_talker(source), read_talker(pack_talker(source, output))
    assert (output / "sv.safetensors").read_bytes() == b"speaker network"
    assert (output / "words.txt").read_bytes() == (source / "words.txt").read_bytes()
    assert (output / str(after.settings["bert"])).resolve() == tmp_path / "bert"
    assert before.settings == {**after.settings, "bert": "../bert"}


def test_speakers_are_chosen_by_name(
    talker_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = next(iter(read_talker(talker_folder).speakers))
    command = ["pack-talker", str(talker_folder), "--output"]
    assert main([*command, str(tmp_path / "one"), "--speakers", name]) == 0
    assert list(read_talker(tmp_path / "one").speakers) == [name]
    assert main([*command, str(tmp_path / "two"), "--speakers", "nobody"]) == REFUSED
    assert "no speaker 'nobody'" in caplog.text and not (tmp_path / "two").exists()
    assert main([*command, str(tmp_path / "one")]) == REFUSED
    assert "exists" in caplog.text
