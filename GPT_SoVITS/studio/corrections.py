"""Corrections by hand from the page: turns by a history, files that never became one in place.

A turn of the prepared corpus is corrected by `python -m prepare_datasets.correct`: a line of a
history, its recording and transcript stay. What never became a turn (no transcript, a broken
recording) is mended in the folder of recordings, and what was there is kept (see mended.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.studio.errors import StudioError
from GPT_SoVITS.studio.mended import Mended

PATIENCE_SECONDS = 60
MADE = "3_speech/audio/"  # how later steps name a turn's recording: MADE + id + ".flac"


@dataclass(frozen=True)
class Known:
    """A recording as the page shows it."""

    path: str
    """Relative to the folder of recordings."""
    id: str | None
    """The turn's id; None where it never became one."""
    text: str


class Corrections:
    """One corpus: the recordings in `raw`, what they became in `prepared`."""

    def __init__(self, raw: Path, prepared: Path) -> None:
        self.raw, self.prepared = raw, prepared
        self.mended = Mended(raw, prepared)

    def find(self, path: str) -> Known:
        """The turn of a recording, with its text as corrected so far."""
        turn = self._turn(path)
        if turn is None:
            return Known(path, None, self.mended.text(path))
        texts = [o for o in self.history() if o["op"] == "text" and o["id"] == turn["id"]]
        in_force = [line["text"] for line in texts if line["in_force"]]
        if in_force:
            return Known(path, turn["id"], in_force[-1])
        if turn["text"] in [line["text"] for line in texts]:  # undone since it was prepared
            return Known(path, turn["id"], self.mended.text(turn["audio"]) or turn["text"])
        return Known(path, turn["id"], turn["text"])

    def text(self, path: str, text: str) -> None:
        """Another transcript."""
        known = self.find(path)
        if known.id is None:
            self.mended.write(path, text)
        else:
            self._command("text", known.id, text)

    def drop(self, path: str, reason: str) -> None:
        """Leave a turn out."""
        self._command("drop", self._id(path), options=[f"--reason={reason}"])

    def split(self, path: str, at: float, texts: tuple[str, str]) -> None:
        """Two turns of one, `at` seconds from its beginning."""
        self._command("split", self._id(path), str(at), *texts)

    def join(self, path: str) -> None:
        """A turn and the next of the same speaker become one. Raises `StudioError`."""
        first = self._id(path)
        turns = [turn["id"] for turn in self._turns()]
        place = turns.index(first)
        if place + 1 == len(turns):
            raise StudioError(f"{path}: no turn follows it")
        self._command("merge", first, turns[place + 1])

    def undo(self, path: str) -> None:
        """Take back the last correction of this recording. Raises `StudioError`."""
        known = self.find(path)
        mine = [line for line in self.history() if line.get("id") == known.id and line["in_force"]]
        if known.id is not None and mine:
            self._command("undo", str(mine[-1]["number"]))
        elif not self.mended.undo(path):
            raise StudioError(f"{path}: there is no correction to undo")

    def history(self) -> list[dict[str, Any]]:
        """Every correction ever made; `in_force` says which have an effect."""
        return [json.loads(line) for line in self._command("list").splitlines() if line]

    def _id(self, path: str) -> str:
        known = self.find(path)
        if known.id is None:
            raise StudioError(f"{path} is not a turn of the corpus; the ledger says why")
        return known.id

    def recording(self, path: str) -> Path:
        """The file that the ledger means: as it came, or as step 3 left it."""
        made = self.prepared / path
        return made if path.startswith(MADE) and made.is_file() else self.raw / path

    def _turn(self, path: str) -> dict[str, Any] | None:
        name = path.removeprefix(MADE).rpartition(".")[0] if path.startswith(MADE) else None
        fits = (turn for turn in self._turns() if turn["audio"] == path or turn["id"] == name)
        return next(fits, None)

    def _turns(self) -> Iterator[dict[str, Any]]:
        place = self.prepared / "1_dialogues" / "turns.jsonl"
        if place.is_file():
            with place.open(encoding="utf-8") as file:
                yield from (json.loads(line) for line in file)

    def _command(self, op: str, *words: str, options: Sequence[str] = ()) -> str:
        """`python -m prepare_datasets.correct`; its refusal is a sentence already."""
        command = [sys.executable, "-m", "prepare_datasets.correct", f"--data={self.prepared}", op]
        command += [*options, *(("--", *words) if words else ())]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["the correction was refused"]
            raise StudioError(lines[-1])
        return done.stdout
