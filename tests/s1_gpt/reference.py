"""Reads the s1 reference vectors: weights by their recipes, tensors, and columns to feed."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from safetensors import safe_open

from GPT_SoVITS.checkpoints.keymaps import S1_NAMES
from GPT_SoVITS.checkpoints.rename import renamed, reverse
from GPT_SoVITS.dialogue.layout import Columns, EncodedTurn, LayoutConfig, build_sequence
from GPT_SoVITS.s1_gpt.config import S1Config
from GPT_SoVITS.s1_gpt.model import SemanticGPT


@dataclass(frozen=True)
class Reference:
    model: SemanticGPT
    tensors: dict[str, torch.Tensor]
    config: dict


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def load(folder: Path, name: str) -> Reference:
    """`folder` is golden/nn or golden/nn_more; the model comes back in eval mode."""
    first = (folder / "recipe.py").is_file()
    path = folder / ("vectors" if first else "") / f"{name}.safetensors"
    with safe_open(str(path), "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        meta = file.metadata()
    config = json.loads(meta["config"])
    sizes = config if first else config["model"]
    names = ("hidden_dim", "head", "n_layer", "vocab_size", "phoneme_vocab_size")
    model = SemanticGPT(S1Config(*(sizes[key] for key in names)))
    if first:
        recipe = module(folder / "recipe.py")
        state = recipe.weights(recipe.manifest(json.loads(meta["manifest"])), int(meta["seed"]))
    else:
        ours = renamed(model.state_dict(), reverse(S1_NAMES), path=path)
        shapes = {f"model.{key}": tuple(value.shape) for key, value in ours.items()}
        drawn = module(folder / "recipe_weights.py").fill(shapes, config["seed"])
        state = {key: torch.from_numpy(value) for key, value in drawn.items()}
    state = {key.removeprefix("model."): value for key, value in state.items()}
    model.load_state_dict(renamed(state, S1_NAMES, path=path), strict=True)
    return Reference(model.eval(), tensors, config)


def turn(ids, codes=None, bert=None, *, speaker: str = "a", index: int = 0) -> EncodedTurn:
    """Tensors with a leading batch axis of one -> EncodedTurn; bert (1, 1024, X)."""
    flat = np.zeros(0, np.int64) if codes is None else codes.reshape(-1).numpy()
    features = None if bert is None else bert.reshape(1024, -1).T.numpy().copy()
    return EncodedTurn(speaker, ids.reshape(-1).numpy(), flat, features, index)


def single(ids, codes, bert, *, with_codes: bool = True) -> Columns:
    """[text][codes], or [text] alone; a prompt is the beginning of the codes."""
    one = turn(ids, codes, bert)
    return build_sequence([], one, LayoutConfig(), include_response_codes=with_codes).columns()


def close(ours: torch.Tensor, theirs: torch.Tensor, *, relative: float = 1e-5) -> None:
    """max|difference| within `relative` of the reference's largest value."""
    theirs = theirs.reshape(ours.shape)
    difference = float((ours.detach().double() - theirs.double()).abs().max())
    assert difference <= relative * float(theirs.abs().max()), (difference, theirs.abs().max())
