"""Long recordings -> short ones, cut at silences: `python -m prepare_datasets.slice_recordings`.

    python -m prepare_datasets.slice_recordings --raw LONG --output SHORT

    SHORT/<folder>/<file>_<first sample>_<end>.wav   32 kHz mono, 16 bit; ten digits each
    SHORT/slices.jsonl                               what came of each recording
    SHORT/ledger.jsonl                               recordings that gave nothing, and why

The recordings stay as they are. A second run cuts what is new or changed. Exit codes: 0 all cut,
2 config error, 3 the ledger has lines, 4 stopped but resumable.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import AudioError, save_audio
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, Record, fingerprint, read_finished
from prepare_datasets.ledger import Entry
from prepare_datasets.lock import locked
from prepare_datasets.raw_recordings.extract import SOUND, VIDEO, extract
from prepare_datasets.readers.files import Walk, printable
from prepare_datasets.readers.turn import origin_of
from prepare_datasets.recordings_command import run_command
from prepare_datasets.slicing import SliceConfig, slices

log = logging.getLogger("prepare_datasets")
STAGE = "slice_recordings"
VERSION = 1
JOURNAL = ".slices.journal"


@dataclass(frozen=True)
class SliceRun:
    """Folders and the rule of the cuts."""

    raw: str
    """Folder of recordings or films, searched to the bottom."""
    output: str
    """Folder of the pieces; must not lie in `raw`."""
    peak: float = 0.9
    """Level of the loudest sample in the levelled copy …"""
    level: float = 0.0
    """… which is mixed in with this share: 0 leaves the sound as it is, the published tool takes
    0.25."""
    slices: SliceConfig = field(default_factory=SliceConfig)

    def __post_init__(self) -> None:
        if not (0 <= self.level <= 1 and 0 < self.peak <= 1):
            raise ValueError("level must be 0 to 1, peak above 0 and at most 1")
        raw, output = Path(self.raw).resolve(), Path(self.output).resolve()
        if output.is_relative_to(raw):
            raise ValueError(
                f"output {self.output} lies in raw {self.raw}; pieces would be cut again"
            )


def run(config: SliceRun) -> tuple[int, int]:
    """Cut everything that is new; how many recordings were cut now, and how many gave nothing.

    Raises `PrepareError`.
    """
    raw, output = Path(config.raw), Path(config.output)
    if not raw.is_dir():
        raise PrepareError(f"there is no folder {raw}")
    settings = fingerprint(VERSION, asdict(config.slices), config.peak, config.level)
    cut = lost = 0
    with locked(output):
        before = read_finished(output / "slices.jsonl", output / JOURNAL)
        known = {line["path"]: line for line in before}
        with (
            (output / JOURNAL).open("a", encoding="utf-8") as journal,
            AtomicFile(output / "slices.jsonl") as states,
            AtomicFile(output / "ledger.jsonl") as ledger,
        ):
            for path in tqdm(list(_recordings(raw)), desc=STAGE, unit="file", disable=None):
                name = printable(path.relative_to(raw).as_posix())
                mark = fingerprint(settings, origin_of(path))
                state = known.pop(name, None)
                if state is None or state["mark"] != mark or not _there(output, state):
                    state = _cut(config, path, name) | {"mark": mark}
                    journal.write(json.dumps(state) + "\n")
                    journal.flush()
                    cut += 1
                states.add(state)
                if state["code"]:
                    lost += 1
                    entry = Entry(name, name, STAGE, state["code"], state["message"])
                    ledger.add(entry.as_json())
        for state in known.values():  # of recordings that are gone
            for piece in state["pieces"]:
                (output / piece).unlink(missing_ok=True)
        (output / JOURNAL).unlink()
    log.info("%s: %d recordings cut now, %d gave nothing", STAGE, cut, lost)
    return cut, lost


def _recordings(raw: Path) -> Iterator[Path]:
    for place in Walk(raw):
        if not isinstance(place, Entry):
            folder, names = place
            yield from (folder / n for n in names if Path(n).suffix.lower() in SOUND | VIDEO)


def _there(output: Path, state: Record) -> bool:
    return all((output / piece).is_file() for piece in state["pieces"])


def _cut(config: SliceRun, path: Path, name: str) -> dict[str, Any]:
    """Write the pieces of one recording; what came of it."""
    output = Path(config.output)
    found: dict[str, Any] = {"path": name, "pieces": [], "code": "", "message": ""}
    try:
        samples = extract(path, sample_rate=SAMPLE_RATE)
    except (AudioError, OSError) as error:
        message = str(error).replace(str(path), name)
        return found | {"code": "unreadable_audio", "message": message}
    pieces = slices(samples, SAMPLE_RATE, config.slices)
    if not pieces:
        message = f"nothing in it is louder than {config.slices.threshold_db} dB"
        return found | {"code": "silent", "message": message}
    for begin, end in pieces:
        piece = f"{name}_{begin:010d}_{end:010d}.wav"
        save_audio(output / piece, _levelled(samples[begin:end], config))
        found["pieces"].append(piece)
    return found


def _levelled(samples: np.ndarray, config: SliceRun) -> np.ndarray:
    peak = float(np.abs(samples).max())
    if config.level == 0 or peak == 0:
        return samples
    return samples / peak * (config.peak * config.level) + (1 - config.level) * samples


def main(arguments: Sequence[str] | None = None) -> None:
    """Options are the fields of the config."""
    run_command(
        SliceRun,
        lambda config: run(config)[1],
        name="slice_recordings",
        description="Long recordings -> short ones, cut at silences.",
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
