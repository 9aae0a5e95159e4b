"""A folder of reference vectors: its files, its recipe for weights, its tolerance.

nn        recipe.py           manifests/ vectors/     max |difference| <= 1e-5 of the scale
nn_more   recipe_weights.py   manifests/ *.safetensors ckpt/     2e-5 + 1e-4 |expected|
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


def module(path: Path) -> ModuleType:
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@dataclass(frozen=True)
class Folder:
    """One of the two layouts."""

    root: Path

    @property
    def wide(self) -> bool:
        """Laid out like nn_more."""
        return (self.root / "recipe_weights.py").is_file()

    @cached_property
    def recipe(self) -> ModuleType:
        """How weights are drawn."""
        path = self.root / ("recipe_weights.py" if self.wide else "recipe.py")
        if not path.is_file():
            raise FileNotFoundError(f"{self.root}: neither recipe.py nor recipe_weights.py in it")
        return module(path)

    def files(self) -> list[Path]:
        """Every file of vectors."""
        places = [self.root, self.root / "ckpt"] if self.wide else [self.root / "vectors"]
        return sorted(path for place in places for path in place.glob("*.safetensors"))

    def manifest(self, name: str) -> dict[str, tuple[int, ...]]:
        """{key: shape} of a published state dict."""
        table = json.loads((self.root / "manifests" / f"{name}.json").read_text(encoding="utf-8"))
        return {key: tuple(shape) for key, (shape, _) in table.items()}

    def draw(self, shapes: Shapes, seed: int) -> dict[str, Tensor]:
        """Weights of a published state dict."""
        if not self.wide:
            return self.recipe.weights({k: [list(v), ""] for k, v in shapes.items()}, seed)
        drawn = self.recipe.fill(shapes, seed)
        return {key: torch.from_numpy(value) for key, value in drawn.items()}


@dataclass(frozen=True)
class Vectors:
    """One file: tensors `in/…`, `out/…`, `w/…` and decoded metadata."""

    path: Path
    folder: Folder
    tensors: dict[str, Tensor]
    meta: dict[str, Any]

    @classmethod
    def read(cls, path: Path, folder: Folder) -> Vectors:
        """Tensors and metadata of one file."""
        with safe_open(str(path), "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            raw = file.metadata() or {}
        return cls(path, folder, tensors, {key: _decoded(text) for key, text in raw.items()})

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[f"in/{name}"]

    def get(self, name: str) -> Tensor | None:
        """An input that may be absent."""
        return self.tensors.get(f"in/{name}")

    def names(self, prefix: str) -> list[str]:
        """What follows a prefix, e.g. `out/greedy_penalty_`, in order."""
        return [key[len(prefix) :] for key in self.tensors if key.startswith(prefix)]

    @property
    def expected(self) -> dict[str, Tensor]:
        """What to compare with."""
        return {name: self.tensors[f"out/{name}"] for name in self.names("out/")}

    @property
    def config(self) -> dict[str, Any]:
        """The metadata's config."""
        return self.meta.get("config") or {}

    @property
    def seed(self) -> int:
        """Of the weights."""
        return int(self.meta["seed"] if "seed" in self.meta else self.config["seed"])

    def weights(self, shapes: Shapes | None = None) -> dict[str, Tensor]:
        """The published state dict these vectors were made with."""
        if shapes is None:
            shapes = self.folder.manifest(self.meta["manifest"])
        return self.folder.draw(shapes, self.seed)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
