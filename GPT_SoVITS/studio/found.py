"""What lies in the roots: talkers, prepared corpora, recordings, recipes, runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.progress import read_metrics
from GPT_SoVITS.studio.roots import Roots, shown

STAGES = ("s1", "s2")


def talkers(roots: Roots) -> list[str]:
    """Folders with both networks, newest first."""
    found = [f for f in roots.containing("s2.safetensors") if (f / "s1.safetensors").is_file()]
    newest = sorted(found, key=lambda f: -(f / "s1.safetensors").stat().st_mtime)
    return [shown(folder) for folder in newest]


def adapters(talker: Path) -> list[str]:
    """Names of the LoRA adapters that lie in a talker."""
    place = talker / "adapters"
    return sorted(p.name for p in place.iterdir() if p.is_dir()) if place.is_dir() else []


def corpora(roots: Roots) -> list[str]:
    """Prepared corpora: folders with finished sequences."""
    return [shown(folder) for folder in roots.containing("report.json", depth=2)]


def recordings(roots: Roots) -> list[str]:
    """Folders of recordings: `<root>/<name>_raw`."""
    places = [p for root in roots.folders if root.is_dir() for p in sorted(root.iterdir())]
    return [shown(place) for place in places if place.is_dir() and place.name.endswith("_raw")]


def recipes(configs: Path, folder: str) -> list[str]:
    """YAML files of `configs/data`, `configs/s1` or `configs/s2`."""
    return [path.stem for path in sorted((configs / folder).glob("*.yaml"))]


def recipe(configs: Path, folder: str, name: str) -> Path:
    """The file of a recipe chosen by name. Raises `StudioError`."""
    if name not in recipes(configs, folder):
        raise StudioError(
            f"there is no recipe {name!r} in {shown(configs / folder)}; choose another"
        )
    return (configs / folder / f"{name}.yaml").resolve()


@dataclass(frozen=True)
class Run:
    """A training as its folder tells it, whoever started it."""

    folder: Path
    """`<run>/s1`, `s2_lora`, …"""
    step: int
    values: Mapping[str, float]
    """The latest number of each kind."""

    @property
    def name(self) -> str:
        """`runs/demo/s1`"""
        return shown(self.folder)


def runs(roots: Roots) -> list[Run]:
    """Trainings below the roots, newest first."""
    found = list(roots.containing("metrics.jsonl"))
    found.sort(key=lambda folder: -(folder / "metrics.jsonl").stat().st_mtime)
    return [read_run(folder) for folder in found]


def read_run(folder: Path) -> Run:
    """One training."""
    lines = read_metrics(folder / "metrics.jsonl")
    values: dict[str, float] = {}
    for line in lines:
        values |= {name: value for name, value in line.items() if name != "step"}
    return Run(folder, int(lines[-1]["step"]) if lines else 0, values)


def report(corpus: Path) -> dict[str, Any]:
    """`report.json` of a prepared corpus."""
    return read_json(corpus / "report.json")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or a sentence. Raises `StudioError`."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise StudioError(f"{shown(path)} is not there yet or cannot be read") from None
    if not isinstance(values, dict):
        raise StudioError(f"{shown(path)} must hold a JSON object")
    return values


def read_lines(path: Path, *, most: int = 500) -> list[dict[str, Any]]:
    """The first lines of a JSONL file; none where there is no file."""
    if not path.is_file():
        return []
    found = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            found.append(json.loads(line))
            if len(found) == most:
                break
    return found
