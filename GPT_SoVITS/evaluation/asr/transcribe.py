"""Recordings -> a manifest of what is said: `python -m GPT_SoVITS transcribe --help`.

    python -m GPT_SoVITS transcribe --recordings data/mine_raw --output data/mine_raw/mine.jsonl

    mine.jsonl          {"audio", "text", "speaker", "language"}, audio relative to the manifest;
                        or .csv with the same columns, or .list: audio|speaker|EN|text
    mine.ledger.jsonl   recordings without a row, and why: nothing is written down as silence

Page Dataset, `prepare_datasets` (reader `table` or `list`) and `evaluate` take the manifest. A
second run hears only recordings that have no row yet. Exit codes: 0 every recording has a row,
2 wrong input, 3 the ledger has lines, 4 stopped but resumable.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from GPT_SoVITS.audio.constants import SAMPLE_RATE
from GPT_SoVITS.audio.io import AudioError, load_audio
from GPT_SoVITS.dialogue import LANGUAGES
from GPT_SoVITS.evaluation.asr.interface import (
    ENGINES,
    AsrConfig,
    AsrError,
    Recognizer,
    open_recognizer,
)
from GPT_SoVITS.evaluation.asr.manifest import (
    Failure,
    ManifestRow,
    ledger_of,
    read_manifest,
    write_ledger,
    write_manifest,
)

log = logging.getLogger(__name__)
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".opus")
WORDS = tuple(name for name in ENGINES if name != "phones")
SAVE_EVERY = 20  # recordings: what a kill may cost
WRONG_INPUT, INCOMPLETE, STOPPED = 2, 3, 4


@dataclass(frozen=True)
class TranscribeConfig:
    """Which recordings, into which manifest, by which recogniser."""

    recordings: tuple[Path, ...]
    """Files, or folders that are searched to the bottom."""
    output: Path
    """The manifest; its ending says the form: .jsonl, .csv or .list."""
    asr: AsrConfig = field(default_factory=lambda: AsrConfig(language="en"))
    speaker: str = ""
    """Who speaks; empty: the folder a recording lies in."""
    again: bool = False
    """Hear recordings that have a row, too."""


def transcribe(
    config: TranscribeConfig, *, recognizer: Recognizer | None = None
) -> tuple[int, list[Failure]]:
    """Write manifest and ledger -> how many rows there are, and the recordings without one.

    Raises AsrError where the recogniser cannot be opened or hears no words, ValueError for a
    manifest of an unknown form, OSError for recordings that are not there.
    """
    paths = list(recordings(config.recordings))
    engine = recognizer or open_recognizer(config.asr)
    if engine.unit != "words":
        raise AsrError(f"{engine.identity} hears {engine.unit}; take one of {', '.join(WORDS)}")
    rows = {} if config.again else {row.audio: row for row in read_manifest(config.output)}
    failures: list[Failure] = []
    for number, path in enumerate(tqdm(paths, desc="transcribe", unit="file", disable=None), 1):
        if ManifestRow.name(path, config.output) not in rows:
            found = _hear(config, engine, path)
            if isinstance(found, Failure):
                failures.append(found)
            else:
                rows[found.audio] = found
        if number % SAVE_EVERY == 0:
            write_manifest(config.output, rows.values())
    write_manifest(config.output, rows.values())
    write_ledger(config.output, failures)
    return len(rows), failures


def recordings(places: Sequence[Path]) -> Iterator[Path]:
    """Sound files, each once, in the order of their names. Raises `FileNotFoundError`."""
    seen: set[Path] = set()
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"there is no {place}")
        found = [place] if place.is_file() else sorted(place.rglob("*"))
        for path in found:
            fits = path.suffix.lower() in SOUNDS and not path.name.startswith(".")
            if path.is_file() and (fits or path == place) and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _hear(config: TranscribeConfig, engine: Recognizer, path: Path) -> ManifestRow | Failure:
    name = ManifestRow.name(path, config.output)
    language = config.asr.language
    try:
        samples = load_audio(path)
        text = engine.transcribe(samples, sample_rate=SAMPLE_RATE, language=language).text
    except (AudioError, AsrError, OSError) as error:
        code = "unreadable" if isinstance(error, AudioError) else "not_heard"
        return Failure(name, code, str(error).replace(str(path), name))
    text = " ".join(text.split())
    if not text:
        return Failure(name, "nothing_understood", "nothing was understood; write it down by hand")
    try:
        return ManifestRow(name, text, config.speaker or path.parent.name, language)
    except ValueError as error:
        return Failure(name, "bad_name", str(error))


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m GPT_SoVITS transcribe",
        description="Recordings -> a manifest of what is said, by a recogniser of this machine.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--recordings", type=Path, nargs="+", required=True, help="files or folders")
    add("--output", type=Path, required=True, help="manifest: .jsonl, .csv or .list")
    add("--engine", choices=WORDS, default="pocketsphinx", help="default pocketsphinx (English)")
    add("--model", default="", help="local model folder of the engine")
    add("--language", choices=LANGUAGES, default="en", help="what is spoken; default en")
    add("--speaker", default="", help="who speaks; default: the folder a recording lies in")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--again", action="store_true", help="hear recordings that have a row, too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    args = build_parser().parse_args(arguments)
    asr = AsrConfig(args.engine, args.model, args.language, args.device)
    config = TranscribeConfig(
        tuple(args.recordings), args.output, asr, args.speaker, again=args.again
    )
    try:
        rows, failures = transcribe(config)
    except (AsrError, ValueError, OSError) as error:
        log.error("error: %s", error)
        return WRONG_INPUT
    except KeyboardInterrupt:
        log.error("stopped; the same command goes on with the recordings that have no row")
        return STOPPED
    log.info("%d rows in %s, %d recordings without", rows, args.output, len(failures))
    if failures:
        log.info("%s says why", ledger_of(args.output))
    return INCOMPLETE if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
