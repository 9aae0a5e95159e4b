"""Published s2 files through the commands: every version, exported, base and training form."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors import safe_open

from GPT_SoVITS.checkpoints import CheckpointError, load_s2
from GPT_SoVITS.checkpoints.commands import export_checkpoint, import_checkpoint
from GPT_SoVITS.checkpoints.container import read_safetensors, write_safetensors
from GPT_SoVITS.checkpoints.detect import detect
from GPT_SoVITS.checkpoints.export import back_to_theirs, export_file
from GPT_SoVITS.checkpoints.format import save_model
from GPT_SoVITS.checkpoints.import_ import convert, import_file
from GPT_SoVITS.checkpoints.keymaps_s2 import S2_NAMES
from GPT_SoVITS.checkpoints.legacy import read_legacy
from GPT_SoVITS.checkpoints.tokenizer_file import load_tokenizer
from GPT_SoVITS.s2_vits.config import S2Config
from GPT_SoVITS.s2_vits.model import ConversationalVITS

DIGITS = {"v1": b"PK", "v2": b"PK", "v2pro": b"05", "v2proplus": b"06"}
TINY = {
    "inter_channels": 16,
    "hidden_channels": 16,
    "filter_channels": 32,
    "n_layers": 2,
    "upsample_initial_channel": 32,
    "ssl_dim": 12,
    "semantic_dim": 8,
    "n_codes": 16,
    "n_symbols": 732,
}


@pytest.fixture(scope="module")
def recipe(shared: Path) -> ModuleType:
    path = shared / "golden" / "nn" / "recipe.py"
    spec = importlib.util.spec_from_file_location("golden_recipe", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imported_and_back(path: Path, folder: Path) -> dict:
    assert import_checkpoint([str(path), "--output", str(folder / "talker")]) == 0
    out = folder / "back.pth"
    source = folder / "talker" / "s2.safetensors"
    assert export_checkpoint([str(source), "--output", str(out)]) == 0
    assert out.read_bytes()[:2] == path.read_bytes()[:2]
    return dict(read_legacy(out).content)


@pytest.mark.slow
@pytest.mark.parametrize("version", list(DIGITS))
def test_exported_and_base_files_of_every_version(
    shared: Path, tmp_path: Path, version: str
) -> None:
    script = shared / "golden" / "nn" / "make_published_files.py"
    command = [sys.executable, str(script), str(tmp_path), "--only", f"s2g_{version}"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    exported, base = (tmp_path / f"s2g_{version}{end}" for end in ("_e8_s112.pth", "_base.pth"))
    assert exported.read_bytes()[:2] == DIGITS[version]
    for path in (exported, base):
        before, after = read_legacy(path).content, imported_and_back(path, tmp_path)
        assert set(before["weight"]) == set(after["weight"])
        for key, value in before["weight"].items():
            assert torch.equal(value, after["weight"][key]), key
        assert after["config"]["model"] == before["config"]["model"]
        assert b"someone" not in (tmp_path / "talker" / "s2.safetensors").read_bytes()[:100_000]
    model, header = load_s2(tmp_path / "talker" / "s2.safetensors")
    assert model.config.version.lower() == version
    assert header.symbols == ("v1" if version == "v1" else "v2")
    _, tokenizer = load_tokenizer(tmp_path / "talker" / "tokenizer.safetensors")
    assert tokenizer.quantizer_id == header.quantizer_id


@pytest.mark.slow
@pytest.mark.parametrize("version", list(DIGITS))
def test_a_training_file_gives_the_reference_numbers(
    shared: Path, tmp_path: Path, recipe: ModuleType, version: str
) -> None:
    with safe_open(str(shared / f"golden/nn/vectors/s2g_{version}.safetensors"), "pt") as file:
        seed = int(json.loads(file.metadata()["seed"]))
        vectors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    state = recipe.weights(recipe.manifest(f"s2g_{version}"), seed)
    path = tmp_path / "G_233333333333.pth"
    torch.save({"model": state, "iteration": 3, "optimizer": {}, "learning_rate": 1e-4}, path)
    assert import_checkpoint([str(path), "--output", str(tmp_path)]) == 0
    model, header = load_s2(tmp_path / "s2.safetensors")
    assert not header.absent
    assert torch.equal(model.extract_codes(vectors["in/ssl"]), vectors["out/codes"].reshape(1, -1))
    vector = vectors.get("in/sv_emb")
    wave = model.decode(
        vectors["in/codes"].reshape(1, -1),
        vectors["in/text"],
        [vectors["in/refer"]],
        noise_scale=0.0,
        speaker_vectors=None if vector is None else [vector],
    )
    expected = vectors["out/wav"].reshape(wave.shape)
    scale = float(expected.abs().max())
    assert float((wave - expected).abs().max()) <= 1e-5 * max(scale, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s2d_v1_v2", "s2d_v2pro"])
def test_discriminators_import_every_tensor(tmp_path: Path, recipe: ModuleType, name: str) -> None:
    state = recipe.weights(recipe.manifest(name), 7)
    path = tmp_path / "D_1.pth"
    torch.save({"model": state, "iteration": 1, "optimizer": {}, "learning_rate": 1e-4}, path)
    found = import_file(path)
    assert found.header.kind == "s2d" and len(found.tensors) == len(state)


def test_v3_and_v4_are_recognised_and_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "s2Gv3.pth"
    torch.save({"weight": {"cfm.estimator.w": torch.zeros(2)}, "config": {}, "info": ""}, path)
    with pytest.raises(CheckpointError, match="v3 or v4.*flow matching"):
        import_file(path)


def test_kind_and_version_come_from_tensors_only() -> None:
    s2 = {"enc_p.text_embedding.weight": (732, 192), "dec.conv_pre.weight": (512, 192, 7)}
    pro = s2 | {"sv_emb.weight": (1024, 20480)}
    assert detect(s2, path="v1.pth").version == "v2"
    assert detect(pro, path="v1.pth").version == "v2Pro"
    assert detect(pro | {"dec.conv_pre.weight": (768, 192, 7)}, path="x").version == "v2ProPlus"
    assert detect({"enc_p.text_embedding.weight": (322, 192)}, path="x").version == "v1"
    with pytest.raises(CheckpointError, match="not a model this program knows"):
        detect({"surprise": (1,)}, path="x")


def test_unequal_symbol_versions_are_refused(tmp_path: Path, recipe: ModuleType) -> None:
    config = {"model": {"hidden_dim": 64, "embedding_dim": 64, "head": 4, "n_layer": 3}}
    config["model"] |= {"vocab_size": 1025, "phoneme_vocab_size": 512, "dropout": 0, "EOS": 1024}
    state = recipe.weights(recipe.manifest("s1_small_a"), 1)
    torch.save({"weight": state, "config": config, "info": ""}, tmp_path / "s1.ckpt")
    header = {"kind": "s2", "config": {}, "symbols": "v2"}
    write_safetensors(tmp_path / "t/s2.safetensors", {"a": torch.zeros(1)}, header=header)
    command = [str(tmp_path / "s1.ckpt"), "--output", str(tmp_path / "t")]
    assert import_checkpoint(command) == 2
    assert not (tmp_path / "t" / "s1.safetensors").exists()


def test_untrained_enrichment_is_left_out_and_trained_enrichment_refused(tmp_path: Path) -> None:
    config = S2Config(**TINY, style="on", text="gated")  # type: ignore[arg-type]
    model = ConversationalVITS(config)
    path = save_model(tmp_path / "s2.safetensors", model, kind="s2", config=config)
    content = read_legacy(export_file(path, tmp_path / "s2.pth")).content
    assert not [name for name in content["weight"] if "history" in name or "enc_q" in name]
    tensors, header = read_safetensors(path)
    tensors["style_history.output.weight"] += 1
    write_safetensors(path, tensors, header=header)
    with pytest.raises(CheckpointError, match="style_history.output.weight were trained"):
        export_file(path, tmp_path / "again.pth")


@pytest.mark.parametrize("version", ["v1", "v2", "v2Pro", "v2ProPlus"])
def test_a_training_file_of_any_size_tells_its_sizes_by_its_tensors(version: str) -> None:
    small = {k: v for k, v in TINY.items() if k != "n_symbols"} | {"reference_hidden": 24}
    small |= {"mrte_channels": 32, "n_flows": 2, "flow_layers": 3, "posterior_layers": 5}
    small |= {"upsample_initial_channel": 64, "speaker_vector_dim": 40 if "Pro" in version else 0}
    small |= {"gin_channels": 48 if "Pro" in version else 32}
    config = replace(S2Config.published(version), **small)
    theirs = back_to_theirs(ConversationalVITS(config).state_dict(), S2_NAMES, path="x")
    found = convert({"model": theirs}, path=Path("x")).header.config
    wanted = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    assert found == wanted | {"p_dropout": found["p_dropout"]}
