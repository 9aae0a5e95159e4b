"""Files of a corpus that were mended: a transcript written, a recording replaced; both come back.

    <prepared>/mended/mended.jsonl   a line per change: {"number", "path", "file", "kept", "undone"}
    <prepared>/mended/3_7_1_d0.wav   the file before change 3 (`kept`; null: there was none)

For files that never became a turn: what is a turn is corrected by a history instead
(see corrections.py), and its files stay as they are.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from GPT_SoVITS.atomic import replacing
from GPT_SoVITS.studio.errors import StudioError

TRANSCRIPTS = (".txt", ".lab")
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")


class Mended:
    """The files in `raw`, and the record of their changes in `prepared`."""

    def __init__(self, raw: Path, prepared: Path) -> None:
        self.raw, self.folder = raw, prepared / "mended"
        self.record = self.folder / "mended.jsonl"

    def text(self, path: str) -> str:
        """The transcript beside a recording as it is now; empty where there is none."""
        place = self._transcript(path)
        if not place.is_file():
            return ""
        return " ".join(place.read_bytes().decode("utf-8-sig", errors="replace").split())

    def write(self, path: str, text: str) -> None:
        """The transcript beside a recording."""
        self._change(path, self._transcript(path), (" ".join(text.split()) + "\n").encode())

    def replace(self, path: str, sound: Path) -> None:
        """Another recording in the place of a broken one. Raises `StudioError`."""
        place = self.raw / path
        if place.suffix.lower() not in SOUNDS or sound.suffix.lower() != place.suffix.lower():
            raise StudioError(f"{path}: give a recording of the same format, *{place.suffix}")
        self._change(path, place, sound.read_bytes())

    def undo(self, path: str) -> bool:
        """Back to what was there before the last change of this path; False where none is left."""
        lines = self._lines()
        mine = [line for line in lines if line["path"] == path and not line["undone"]]
        if not mine:
            return False
        last = mine[-1]
        place = self.raw / last["file"]
        if last["kept"] is None:
            place.unlink(missing_ok=True)
        else:
            _write(place, (self.folder / last["kept"]).read_bytes())
        last["undone"] = True
        self._save(lines)
        return True

    def _change(self, path: str, place: Path, data: bytes) -> None:
        lines = self._lines()
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = None
        if place.is_file():
            kept = f"{len(lines) + 1}_{place.name}"
            shutil.copy2(place, self.folder / kept)
        file = place.relative_to(self.raw).as_posix()
        line = {"number": len(lines) + 1, "path": path, "file": file, "kept": kept}
        self._save([*lines, {**line, "undone": False}])
        _write(place, data)

    def _transcript(self, path: str) -> Path:
        place = self.raw / path
        if place.suffix.lower() in TRANSCRIPTS:
            return place
        found = [one for end in TRANSCRIPTS if (one := place.with_suffix(end)).is_file()]
        return found[0] if found else place.with_suffix(TRANSCRIPTS[0])

    def _lines(self) -> list[dict[str, Any]]:
        if not self.record.is_file():
            return []
        text = self.record.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line]

    def _save(self, lines: list[dict[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        _write(self.record, text.encode("utf-8"))


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(data)
