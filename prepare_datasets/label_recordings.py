"""Recordings -> a `.list` to train from, by a recogniser.

    python -m prepare_datasets.label_recordings --raw SHORT --output SHORT/labels.list \\
        --engine whisper --model DIR --language en --speaker ann

    labels.list           <recording>|ann|EN|<text>   what `source.reader: list` takes
    labels.ledger.jsonl   recordings without a row, and why: never an empty text

Rows that are there stay as they are, corrected by hand or not; --again true asks anew. Exit codes:
0 every recording has a row, 2 config error, 3 the ledger has lines, 4 stopped but resumable.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from GPT_SoVITS.audio.io import AudioError, load_audio
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile
from prepare_datasets.ledger import Entry
from prepare_datasets.raw_recordings.extract import SOUND
from prepare_datasets.raw_recordings.stages import RATE, Region
from prepare_datasets.raw_recordings.transcripts import transcriber
from prepare_datasets.readers.files import Walk, printable
from prepare_datasets.readers.transcript import TranscriptError
from prepare_datasets.recordings_command import run_command

log = logging.getLogger("prepare_datasets")
STAGE = "label_recordings"
SAVE_EVERY = 20  # recordings: what a kill may cost


@dataclass(frozen=True)
class LabelConfig:
    """Which recordings, which recogniser."""

    raw: str
    """Folder of recordings, searched to the bottom."""
    output: str
    """The `.list` file; paths in it are relative to `raw`."""
    engine: Literal["whisper", "funasr", "subtitles"] = "whisper"
    """subtitles: an .srt or .vtt of the same name beside each recording."""
    model: str | None = None
    """Local folder, of whisper or funasr."""
    language: Literal["en", "zh"] = "en"
    """What is spoken."""
    speaker: str = ""
    """Who speaks; default: the folder a recording lies in."""
    again: bool = False
    """Ask for the recordings that have a row, too."""

    def __post_init__(self) -> None:
        if not self.output.endswith(".list"):
            raise ValueError(f"output is {self.output}; it must end with .list")
        if "|" in self.speaker or "\n" in self.speaker:
            raise ValueError("speaker must hold neither | nor a line break")


def run(config: LabelConfig) -> tuple[int, int]:
    """Write list and ledger; how many rows, and how many recordings have none.

    Raises `PrepareError`.
    """
    raw, output = Path(config.raw), Path(config.output)
    if not raw.is_dir():
        raise PrepareError(f"there is no folder {raw}")
    rows = {} if config.again else _rows(output)
    ledger: list[Entry] = []
    waiting = 0
    for path in tqdm(list(_recordings(raw)), desc=STAGE, unit="file", disable=None):
        name = printable(path.relative_to(raw).as_posix())
        if name in rows:
            continue
        entry = _label(config, path, name, rows)
        if entry is not None:
            ledger.append(entry)
        waiting += 1
        if waiting % SAVE_EVERY == 0:
            _write(output, rows)
    _write(output, rows)
    with AtomicFile(output.with_suffix(".ledger.jsonl")) as file:
        for entry in ledger:
            file.add(entry.as_json())
    log.info("%s: %d rows in %s, %d recordings without", STAGE, len(rows), output, len(ledger))
    return len(rows), len(ledger)


def _label(config: LabelConfig, path: Path, name: str, rows: dict[str, str]) -> Entry | None:
    """Add the row of one recording, or say why there is none."""
    speaker = config.speaker or path.parent.name
    if "|" in name or "|" in speaker or not name.isprintable():
        return Entry(name, name, STAGE, "bad_name", "a .list cannot hold this name; rename it")
    try:
        samples = load_audio(path, sample_rate=RATE)
        write = transcriber(config.engine, config.model, path, language=config.language)
        text = " ".join(write(samples, Region(0.0, len(samples) / RATE)).split())
    except TranscriptError as error:
        return Entry(name, name, STAGE, "wrong_encoding", f"its subtitles: {error}")
    except (AudioError, OSError, RuntimeError) as error:
        message = str(error).replace(str(path), name)
        return Entry(name, name, STAGE, "unreadable_audio", message)
    if not text:
        return Entry(name, name, STAGE, "no_transcript", "nothing was understood; write it down")
    rows[name] = f"{name}|{speaker}|{config.language.upper()}|{text}"
    return None


def _recordings(raw: Path) -> Iterator[Path]:
    for place in Walk(raw):
        if not isinstance(place, Entry):
            folder, names = place
            yield from (folder / name for name in names if Path(name).suffix.lower() in SOUND)


def _rows(output: Path) -> dict[str, str]:
    if not output.is_file():
        return {}
    lines = output.read_text(encoding="utf-8-sig").splitlines()
    return {line.split("|", 1)[0]: line for line in lines if line.strip()}


def _write(output: Path, rows: dict[str, str]) -> None:
    with AtomicFile(output) as file:
        for name in sorted(rows):
            file.write(rows[name] + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Options are the fields of the config."""
    run_command(
        LabelConfig,
        lambda config: run(config)[1],
        name="label_recordings",
        description="Recordings -> a .list to train from, by a recogniser.",
        arguments=arguments,
    )


if __name__ == "__main__":
    main()
