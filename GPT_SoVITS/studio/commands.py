"""The command lines of jobs: lists of words for the package's own commands, never a shell line."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from GPT_SoVITS.studio.errors import StudioError

KEY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
# Keys with a control of their own, which also checks that their folders lie in the roots.
PATH_KEYS: tuple[str, ...] = (
    "data.folder",
    "run.folder",
    "run.init_from",
    "config",
    "resume",
    "raw",
    "output",
)
PATH_KEYS += ("hubert", "quantizer.tokenizer", "text.lexicon", "source.manifest", "text.polyphones")


def train(
    stage: str,
    recipe: Path,
    *,
    data: Path,
    run: Path,
    init_from: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    dry: bool = False,
) -> list[str]:
    """`train_s1.py` or `train_s2.py` with a recipe and what the form says."""
    words = [sys.executable, "-m", "GPT_SoVITS.studio.train_job", stage]
    words += [f"--config={recipe}", f"--data.folder={data}", f"--run.folder={run}"]
    words += [f"--run.init_from={init_from or ''}", "--resume=auto"]
    words += [f"--{key}={value}" for key, value in (settings or {}).items()]
    return [*words, "--dry-run"] if dry else words


def prepare(
    recipe: Path,
    *,
    raw: Path,
    output: Path,
    steps: str = "1-5",
    workers: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> list[str]:
    """`python -m prepare_datasets`."""
    words = [sys.executable, "-m", "prepare_datasets", f"--config={recipe}", f"--raw={raw}"]
    words += [f"--output={output}", f"--steps={steps}", f"--workers={workers}"]
    return words + [f"--{key}={value}" for key, value in (settings or {}).items()]


def import_checkpoint(files: Sequence[Path], *, output: Path) -> list[str]:
    """`python -m GPT_SoVITS import-checkpoint`."""
    words = [sys.executable, "-m", "GPT_SoVITS", "import-checkpoint", f"--output={output}"]
    return [*words, "--", *(str(path) for path in files)]


def merge_adapter(talker: Path, adapter: str, *, output: Path) -> list[str]:
    """`python -m GPT_SoVITS merge-lora`."""
    words = [sys.executable, "-m", "GPT_SoVITS", "merge-lora", f"--adapter={adapter}"]
    return [*words, f"--output={output}", "--", str(talker)]


def transcribe(
    recordings: Sequence[Path],
    *,
    output: Path,
    engine: str,
    model: Path | None,
    language: str,
    speaker: str = "",
) -> list[str]:
    """`python -m GPT_SoVITS transcribe`."""
    words = [sys.executable, "-m", "GPT_SoVITS", "transcribe", f"--output={output}"]
    words += [f"--engine={engine}", f"--language={language}", f"--speaker={speaker}"]
    words += [f"--model={model}"] if model else []
    return [*words, "--recordings", *(str(path) for path in recordings)]


def evaluate(
    models: Mapping[str, Path],
    *,
    output: Path,
    data: Path | None = None,
    split: str = "valid",
    manifest: Path | None = None,
    recognizers: Sequence[Mapping[str, str]],
    most: int,
    recorded: bool = True,
    resynthesis: bool = False,
    seed: int = 0,
) -> list[str]:
    """`python -m GPT_SoVITS evaluate`; rows that failed are counted and shown in the report."""
    words = [sys.executable, "-m", "GPT_SoVITS", "evaluate", f"--output={output}"]
    words += [f"--source.data={data or ''}", f"--source.manifest={manifest or ''}"]
    words += [f"--source.split={split}", f"--source.max_items={most}", f"--seed={seed}"]
    names = json.dumps({name: str(path) for name, path in models.items()})
    words += [f"--models={names}", f"--recognizers={json.dumps(list(recognizers))}"]
    words += [f"--recorded={json.dumps(recorded)}", f"--resynthesis={json.dumps(resynthesis)}"]
    return [*words, "--on_failure=count", "--retry_failed=true"]


def settings_of(text: str | None) -> dict[str, str]:
    """Lines `key: value` or `key=value` -> dotted settings; the command checks their meaning.

    Raises `StudioError`.
    """
    found: dict[str, str] = {}
    for number, line in enumerate((text or "").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, mark, value = line.partition("=" if "=" in line.split(":")[0] else ":")
        key = key.strip().lstrip("-")
        if not mark or not KEY.fullmatch(key) or not value.strip():
            raise StudioError(
                f"settings, line {number}: write `trainer.log_every: 5`, not {line!r}"
            )
        if key in PATH_KEYS:
            raise StudioError(f"settings, line {number}: {key} has a field of its own in the form")
        found[key] = value.strip()
    return found
