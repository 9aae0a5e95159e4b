"""What the LoRA experiments share: how they begin, the sounds they keep, the report they write."""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples import demo
from GPT_SoVITS.adapters.options import adapter_name
from GPT_SoVITS.atomic import write_text
from GPT_SoVITS.audio.io import load_audio, save_audio
from GPT_SoVITS.dialogue.manifest import TurnRecord

log = logging.getLogger("lora_study")


@dataclass(frozen=True)
class Size(demo.Size):
    """How much of everything, the demo's and the texts."""

    texts: int
    """Held-out texts to speak, of every voice."""


def begin(
    sizes: Mapping[str, Size], arguments: Sequence[str] | None, *, name: str, doc: str
) -> tuple[Size, Path, Path]:
    """What a command asks for -> its size, the base talker's folder, the run's own folder.

    Paths are relative to the repository from here on. Raises `SystemExit`.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--size", choices=sorted(sizes), default="default")
    parser.add_argument("--base", type=Path, default=Path("runs/demo/talker"), help="a talker")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.chdir(demo.ROOT)
    size = sizes[options.size]
    if not (options.base / "s1.safetensors").is_file():
        raise SystemExit(f"{name}: no talker in {options.base}; run `make demo` first")
    run = demo.ROOT / "runs" / size.name
    run.mkdir(parents=True, exist_ok=True)
    return size, options.base, run


def recording(data: Path, turn: TurnRecord) -> np.ndarray:
    """A turn as step 3 keeps it, (T,) at 32 kHz."""
    return load_audio(data / "3_speech" / "audio" / f"{turn.id}.flac")


def keep(run: Path, beginning: str, spoken: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write `sounds/<beginning>_<name>.wav` for each; {name: the file, relative to the run}."""
    places = {name: f"sounds/{beginning}_{adapter_name(name)}.wav" for name in spoken}
    for name, place in places.items():
        save_audio(run / place, spoken[name])
    return places


def write_report(run: Path, found: Mapping[str, Any], text: str) -> Path:
    """`report.json` and `report.md`; the latter's place."""
    write_text(run / "report.json", json.dumps(found, indent=1, ensure_ascii=False))
    write_text(run / "report.md", text)
    log.info("%s", text)
    return run / "report.md"
