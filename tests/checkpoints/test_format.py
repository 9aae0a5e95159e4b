"""Our model files: what is saved is loaded; a config that does not fit its tensors is refused."""

from pathlib import Path

import pytest
import torch

from GPT_SoVITS.checkpoints import (
    CheckpointError,
    format,
    load_s1,
    load_s2,
    read_header,
    save_model,
)
from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT

CONFIG = S1Config(hidden_dim=16, n_head=2, n_layer=2, phoneme_vocab_size=20, use_roles=True)


def saved(folder: Path) -> Path:
    torch.manual_seed(0)
    header = {
        "symbols": "v2",
        "tags": ("<laugh>",),
        "quantizer_id": "abc",
        "feature": {"kind": "logmel"},
        "layout": {"history_mode": "window", "history_turns": 2},
        "extra": {"step": 7},
    }
    return save_model(
        folder / "s1.safetensors", SemanticGPT(CONFIG), kind="s1", config=CONFIG, header=header
    )


def changed(path: Path, **config: object) -> Path:
    tensors, header = read_safetensors(path)
    return write_safetensors(path, tensors, header=header | {"config": header["config"] | config})


def test_a_saved_model_is_loaded_with_its_header(tmp_path: Path) -> None:
    path = saved(tmp_path)
    model, header = load_s1(path)
    torch.manual_seed(0)
    original = SemanticGPT(CONFIG).state_dict()
    assert all(torch.equal(original[name], value) for name, value in model.state_dict().items())
    assert not model.training and model.config == CONFIG
    assert header.tags == ("<laugh>",) and header.extra == {"step": 7}
    assert header == read_header(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_dim": 32}, "shape"),
        ({"n_layer": 1}, "unexpected layers.1"),
        ({"n_layer": 3}, "missing layers.2"),
        ({"n_layer": 10**9}, "beyond what the file holds"),
        ({"hidden_dim": 2**40}, "beyond what the file holds"),
        ({"n_head": 3}, "multiple of"),
        ({"surprise": 1}, "surprise"),
        ({"n_layer": "two"}, "config"),
    ],
)
def test_a_config_that_does_not_fit_is_refused_before_a_weight_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], said: str
) -> None:
    path = changed(saved(tmp_path), **change)
    monkeypatch.setattr(format, "read_safetensors", None)
    with pytest.raises(CheckpointError, match=said) as error:
        load_s1(path)
    assert "s1.safetensors" in str(error.value)


def test_the_wrong_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds an s1 model where s2 is wanted"):
        load_s2(saved(tmp_path))


def test_a_file_without_our_header_points_to_the_import_command(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, header={})
    with pytest.raises(CheckpointError, match="import-checkpoint"):
        load_s1(path)


def test_parts_left_out_are_named_in_the_header_and_load(tmp_path: Path) -> None:
    path = saved(tmp_path)
    tensors, header = read_safetensors(path)
    rest = {name: value for name, value in tensors.items() if not name.startswith("layers.1.")}
    write_safetensors(path, rest, header=header)
    with pytest.raises(CheckpointError, match="missing layers.1"):
        load_s1(path)
    write_safetensors(path, rest, header=header | {"absent": ["layers.1."]})
    model, _ = load_s1(path)
    assert torch.equal(
        model.state_dict()["layers.0.norm1.weight"], tensors["layers.0.norm1.weight"]
    )
