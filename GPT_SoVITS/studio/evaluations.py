"""A finished evaluation as its folder tells it: tables, figures, sounds, one archive to take home.

run = Evaluation(Path("runs/evaluate/demo"))
run.finished, run.tables(), run.items(), run.heard("demo/3/1"), run.export(path)
"""

from __future__ import annotations

import csv
import html
import zipfile
from collections.abc import Sequence
from pathlib import Path

from GPT_SoVITS.evaluation.loop import report
from GPT_SoVITS.evaluation.loop.config import RECORDED, RESYNTHESIS
from GPT_SoVITS.evaluation.page import html_table
from GPT_SoVITS.studio.found import read_json

FILES = ("report.html", "report.md", "report.json", "items.csv", "ledger.jsonl", "run.json")


class Evaluation:
    """What `python -m GPT_SoVITS evaluate` wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def finished(self) -> bool:
        """Whether there is a report."""
        return (self.folder / "report.json").is_file() and (self.folder / "items.csv").is_file()

    def tables(self, *, unheard: str = "") -> str:
        """The report's tables and figures, as a part of a page; `unheard` is said where the
        recogniser knows the language of no item."""
        summary = read_json(self.folder / "report.json")
        tables = {
            "Errors of the recognisers": report.errors_table(summary),
            "Against the recording": report.against_table(summary),
            "Style": report.style_table(summary),
            "Speed": report.speed_table(summary),
            "Paired comparisons (error rate per utterance)": report.pairs_table(summary),
        }
        failed = [
            f"<p class='why'><b>{html.escape(system)}</b>: {len(values['failed'])} × ✗</p>"
            for system, values in summary["systems"].items()
            if values["failed"]
        ]
        parts = [
            f"<h4>{html.escape(title)}</h4><div class='scroll'>{html_table(*cells)}</div>"
            for title, cells in tables.items()
            if cells[1]
        ]
        if not tables["Errors of the recognisers"][1]:
            failed.append(f"<p class='hint'>{html.escape(unheard)}</p>")
        pictures = "".join(report.figures(summary))
        return "".join(failed + parts) + f"<div class='figures'>{pictures}</div>"

    def items(self) -> list[tuple[str, str]]:
        """(words and id, id) of every item, in the order of the run."""
        found = {row["item"]: row["text"] for row in self._rows()}
        return [(f"{text}  ({item})", item) for item, text in found.items()]

    def heard(self, item: str) -> list[tuple[str, Path | None, str]]:
        """(system, its sound or None, what a recogniser made of it or why there is none)."""
        found: dict[str, tuple[str, Path | None, str]] = {}
        for row in self._rows():
            if row["item"] != item:
                continue
            sound = self.folder / row["audio"] if row["audio"] else None
            words = row["heard"] if row["status"] == "ok" else row["message"]
            before = found.get(row["system"])
            if before is not None:
                words = f"{before[2]} · {words}"
            found[row["system"]] = (row["system"], sound, words)
        return list(found.values())

    def export(self, path: Path) -> Path:
        """Report, numbers and sounds in one archive."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in FILES:
                if (self.folder / name).is_file():
                    archive.write(self.folder / name, name)
            for sound in sorted((self.folder / "sounds").rglob("*.wav")):
                archive.write(sound, sound.relative_to(self.folder).as_posix())
        return path

    def _rows(self) -> list[dict[str, str]]:
        with (self.folder / "items.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def model_names(folders: Sequence[Path]) -> dict[str, Path]:
    """A short name for each talker: of its run where it is called `talker`, and no two alike."""
    named: dict[str, Path] = {}
    for folder in dict.fromkeys(folders):
        name = folder.parent.name if folder.name == "talker" else folder.name
        wanted, number = name, 2
        while wanted in named or wanted in (RECORDED, RESYNTHESIS):
            wanted, number = f"{name}_{number}", number + 1
        named[wanted] = folder
    return named
