"""Step 1, recordings -> turns: `python -m prepare_datasets.step1_dialogues --config …`.

1_dialogues/turns.jsonl    one line per turn: id, dialogue, index, speaker, text, audio, style …
1_dialogues/ledger.jsonl   what is no usable turn, and why
1_dialogues/found.json     last: how many turns came in, and a fingerprint of the two files
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from prepare_datasets.config import PrepareConfig
from prepare_datasets.corrections import Corrections, in_force, read_history
from prepare_datasets.errors import NothingUsable, PrepareError
from prepare_datasets.jsonl import AtomicFile, Record, fingerprint, read_jsonl, write_json
from prepare_datasets.ledger import Entry
from prepare_datasets.pipeline import log
from prepare_datasets.readers import Piece, RawTurn
from prepare_datasets.readers.named import read_named
from prepare_datasets.readers.published import read_published
from prepare_datasets.readers.rows import turns_of
from prepare_datasets.readers.scripts import script_rows
from prepare_datasets.readers.tables import (
    TABLES,
    find_manifest,
    folder_rows,
    list_rows,
    table_rows,
)
from prepare_datasets.readers.turn import notice

NAME = "1_dialogues"
VERSION = 2


def run(config: PrepareConfig) -> None:
    """Read the corpus; every file that could be a turn becomes one or gets an entry.

    Raises `NothingUsable` or `PrepareError`.
    """
    raw = config.raw_folder
    if not raw.is_dir():
        raise PrepareError(
            f"there is no folder {raw}; give it with --raw, or make the demo corpus with "
            f"`python -m prepare_datasets.demo_corpus --output {raw}`"
        )
    folder = config.folder / NAME
    before = _found(config)
    (folder / "found.json").unlink(missing_ok=True)
    found, order = 0, _Order()
    with (
        AtomicFile(folder / "turns.jsonl") as turns,
        AtomicFile(folder / "ledger.jsonl") as entries,
    ):
        for piece in _corrections(config).apply(read_corpus(config)):
            if isinstance(piece, RawTurn):
                found += 1
                turns.add(piece.as_json())
                for entry in order.next(piece):
                    entries.add(entry.as_json())
            else:
                found += piece.leaves_out
                entries.add(piece.as_json())
        kept = turns.count
        mark = fingerprint(VERSION, turns.digest, entries.digest)
    now = {"turns": found, "dialogues": order.dialogues, "fingerprint": mark, "version": VERSION}
    write_json(folder / "found.json", now)
    if now == before:
        log.info("%s: nothing to do (%d turns, as before)", NAME, kept)
    else:
        log.info("%s: %d turns in %d dialogues in %s", NAME, kept, order.dialogues, raw)
    if not kept:
        raise NothingUsable(f"no turn in {raw} can be used")


def read_corpus(config: PrepareConfig) -> Iterator[Piece]:
    """Everything the reader asked for finds in the raw folder."""
    source, root = config.source, config.raw_folder
    if source.reader in ("named", "ncssd"):
        return read_named(root, source)
    if source.reader == "published":
        take: Any = "codes" if config.feature.kind == "imported_codes" else "features"
        return read_published(root, corpus=source.corpus, take=take)
    if source.reader == "audiofolder":
        return turns_of(folder_rows(root), root, source)
    if source.reader == "script":
        manifest = find_manifest(root, source.manifest, (".jsonl",))
        return turns_of(script_rows(manifest, root), root, source)
    if source.reader == "list":
        manifest = find_manifest(root, source.manifest, (".list",))
        return turns_of(list_rows(manifest, root), root, source)
    manifest = find_manifest(root, source.manifest, TABLES)
    return turns_of(table_rows(manifest, root), root, source)


def _corrections(config: PrepareConfig) -> Corrections:
    path = config.corrections_file
    if config.corrections and not path.is_file():
        raise PrepareError(f"there is no {path} (corrections)")
    return Corrections(in_force(read_history(path)))


class _Order:
    """Checks that dialogues come one after the other, and notes the gaps in them.

    It remembers the dialogues' hashes, 8 bytes each plus a set's overhead, not the turns.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._last: RawTurn | None = None

    @property
    def dialogues(self) -> int:
        """How many so far."""
        return len(self._seen)

    def next(self, turn: RawTurn) -> Iterator[Entry]:
        """Entries about the place of this turn."""
        last = self._last
        self._last = turn
        if last is not None and last.dialogue == turn.dialogue and last.index < turn.index:
            expected = last.index + 1
        else:
            self._begin(turn)
            expected = 0
        if turn.index > expected:
            message = f"{turn.index - expected} turns before it are not there; see sequences.gaps"
            yield notice(turn.audio, "gap", message)

    def _begin(self, turn: RawTurn) -> None:
        key = hash(turn.dialogue)
        if key in self._seen:
            raise PrepareError(
                f"{turn.id} ({turn.audio}): dialogue {turn.dialogue} appears in two places; "
                "rename one folder, or give each corpus its own source.corpus"
            )
        self._seen.add(key)


def _found(config: PrepareConfig) -> dict[str, Any] | None:
    path = config.folder / NAME / "found.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _finished(config: PrepareConfig) -> dict[str, Any]:
    found = _found(config)
    if found is None or found["version"] != VERSION:
        raise PrepareError(f"{config.folder / NAME} is not complete; run --steps 1 first")
    return found


def load(config: PrepareConfig) -> Iterator[Record]:
    """Turns this step found, for the steps after it."""
    _finished(config)
    return read_jsonl(config.folder / NAME / "turns.jsonl")


def load_entries(config: PrepareConfig) -> Iterator[Entry]:
    """What this step left out or noticed."""
    return (Entry(**line) for line in read_jsonl(config.folder / NAME / "ledger.jsonl"))


def mark(config: PrepareConfig) -> str:
    """Fingerprint of everything this step wrote."""
    return str(_finished(config)["fingerprint"])


def found(config: PrepareConfig) -> int:
    """How many turns came in."""
    return int(_finished(config)["turns"])


if __name__ == "__main__":
    from prepare_datasets.command import main

    main(steps="1")
