"""Every recording of a folder through the stages; what is finished is not done again.

    <output>/<recording>_<scene>_<dialogue>/    the dialogues
    <output>/recordings.jsonl                   what came of each recording
    <output>/ledger.jsonl                       what was left out, and why

A recording is known by its size and time, its subtitles' and the settings: a killed run goes on
with the recording it was at, a changed one is done again. Transcripts written by hand stay as long
as neither changes.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, Record, fingerprint, read_finished
from prepare_datasets.ledger import Entry
from prepare_datasets.lock import locked
from prepare_datasets.raw_recordings.config import RawConfig
from prepare_datasets.raw_recordings.extract import SOUND, VIDEO
from prepare_datasets.raw_recordings.recording import STAGE, Recording
from prepare_datasets.raw_recordings.transcripts import SUBTITLES
from prepare_datasets.readers.files import Walk, printable
from prepare_datasets.readers.turn import origin_of

log = logging.getLogger("prepare_datasets")
VERSION = 1
JOURNAL = ".recordings.journal"


@dataclass
class Result:
    """What came of all recordings."""

    recordings: int = 0
    computed: int = 0
    """Of them, how many were new or had changed."""
    scenes: int = 0
    dialogues: int = 0
    turns: int = 0
    entries: int = 0


def run(config: RawConfig) -> Result:
    """Every recording of the folder -> dialogue folders, and a ledger of what gave none.

    Raises `PrepareError`.
    """
    raw, output = Path(config.raw), Path(config.output)
    if not raw.is_dir():
        raise PrepareError(f"there is no folder {raw}")
    result = Result()
    with locked(output):
        before = read_finished(output / "recordings.jsonl", output / JOURNAL)
        known = {line["path"]: line for line in before}
        with (
            (output / JOURNAL).open("a", encoding="utf-8") as journal,
            AtomicFile(output / "recordings.jsonl") as states,
            AtomicFile(output / "ledger.jsonl") as ledger,
        ):
            for path, name in tqdm(_named(raw), desc=STAGE, unit="recording", disable=None):
                relative = printable(path.relative_to(raw).as_posix())
                mark = _mark(config, path)
                state = known.pop(relative, None)
                if state is None or state["mark"] != mark or not _there(output, state):
                    _forget(output, state)
                    state = {"path": relative, "mark": mark}
                    state |= asdict(Recording(config, path, name).made())
                    journal.write(json.dumps(state) + "\n")
                    journal.flush()
                    result.computed += 1
                states.add(state)
                for entry in state["entries"]:
                    ledger.add(entry)
                _count(result, state)
        for state in known.values():  # of recordings that are gone
            _forget(output, state)
        (output / JOURNAL).unlink()
    if not result.computed:
        log.info("%s: nothing to do", STAGE)
    log.info("%s", json.dumps(vars(result)))
    return result


def _count(result: Result, state: Record) -> None:
    result.recordings += 1
    result.scenes += state["scenes"]
    result.dialogues += len(state["folders"])
    result.turns += state["turns"]
    result.entries += len(state["entries"])


def _mark(config: RawConfig, path: Path) -> str:
    """Of everything a recording's dialogues depend on."""
    settings = {k: v for k, v in asdict(config).items() if k not in ("raw", "output")}
    beside = [path.with_suffix(suffix) for suffix in SUBTITLES]
    origins = [_origin(one) for one in (path, *beside)]
    return fingerprint(VERSION, settings, origins)


def _origin(path: Path) -> Any:
    try:
        return origin_of(path)
    except OSError:
        return None


def _there(output: Path, state: Record) -> bool:
    return all((output / folder / "metadata.json").is_file() for folder in state["folders"])


def _forget(output: Path, state: Record | None) -> None:
    for folder in state["folders"] if state else ():
        shutil.rmtree(output / folder, ignore_errors=True)


def _named(raw: Path) -> list[tuple[Path, str]]:
    """Recordings with the name their dialogues have: without suffix, where that names only one."""
    paths = list(_recordings(raw))
    places = [path.relative_to(raw) for path in paths]
    count = Counter(place.with_suffix("").as_posix().casefold() for place in places)
    named = []
    for path, place in zip(paths, places, strict=True):
        bare = place.with_suffix("").as_posix()
        alone = count[bare.casefold()] == 1
        named.append((path, bare if alone else f"{bare}_{place.suffix.lower().lstrip('.')}"))
    return named


def _recordings(raw: Path) -> Iterator[Path]:
    for place in Walk(raw):
        if not isinstance(place, Entry):
            folder, names = place
            wanted = (n for n in names if Path(n).suffix.lower() in SOUND | VIDEO)
            yield from (folder / n for n in wanted if not n.startswith("."))
