"""Score golden phonemes: `python -m tests.check_phonemes DIR [--tables DIR] [--misses]`.

A line per file: rows, exact %, phone agreement % on clean rows (1 - edits / reference phones),
crashes. Last line a summary. Exit code 0 when every bar is met and nothing crashes, 1 below a bar,
2 when DIR holds no golden file. `--tables` holds symbols_v1.json, symbols_v2.json and
pinyin_to_phones.json; without it the folder above DIR is looked at.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from GPT_SoVITS.text import Frontend, SymbolTable, TextConfig, TextError, cuts
from GPT_SoVITS.text.chinese.pinyin import split_syllable

Row = dict[str, Any]
GPTTALKER = TextConfig(symbols="v1", english_dictionary="gpttalker")


@dataclass(frozen=True)
class Golden:
    """How a file's rows are read and the least agreement on its clean rows, in percent."""

    config: TextConfig
    language: str
    bar: float | None = None


FILES = {
    "zh_v1": Golden(TextConfig(symbols="v1"), "zh", 95.0),
    "zh_v2": Golden(TextConfig(), "zh", 97.0),
    "zh_gpttalker": Golden(GPTTALKER, "zh"),
    "en_v1": Golden(TextConfig(symbols="v1"), "en"),
    "en_v2": Golden(TextConfig(), "en", 97.0),
    "en_gpttalker": Golden(GPTTALKER, "en", 95.0),
    "en_dailytalk": Golden(GPTTALKER, "en", 100.0),
    "mixed_v2": Golden(TextConfig(), "auto", 95.0),
}


@dataclass
class Score:
    """What was counted in one file."""

    name: str
    bar: float | None = None
    rows: int = 0
    exact: int = 0
    clean: int = 0
    edits: int = 0
    phones: int = 0
    crashes: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    readings: list[str] = field(default_factory=list)

    @property
    def agreement(self) -> float:
        """Agreement on the clean rows, in percent."""
        return 100.0 * (1 - self.edits / self.phones) if self.phones else 0.0

    @property
    def passed(self) -> bool:
        """No crash, and the bar met where there is one."""
        return not self.crashes and (self.bar is None or self.agreement >= self.bar)

    def __str__(self) -> str:
        exact = 100 * self.exact / max(self.rows, 1)
        verdict = "" if self.bar is None else f" (bar {self.bar:g})"
        return (
            f"{self.name:13s} {self.rows:4d} rows, exact {exact:6.2f}"
            f" %, agreement {self.agreement:6.2f} % on {self.clean} clean{verdict}, "
            f"{len(self.crashes)} crashes {'pass' if self.passed else 'MISS'}"
        )


def edits(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Levenshtein distance."""
    row = list(range(len(theirs) + 1))
    for i, left in enumerate(ours, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(theirs, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]


def read(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def score(name: str, rows: Iterator[Row], phones: Callable[[Row], Sequence[str]]) -> Score:
    """Compare the phones of every row with its reference."""
    result = Score(name, FILES[name].bar)
    for row in rows:
        result.rows += 1
        try:
            ours = list(phones(row))
        except Exception as error:  # any exception is what this counts
            result.crashes.append(f"{row['id']}: {type(error).__name__}: {error}")
            ours = []
        distance = edits(ours, row["phones"])
        result.exact += distance == 0
        if distance:
            kind = "questionable" if row.get("questionable") else "clean"
            said, wanted = " ".join(ours), " ".join(row["phones"])
            result.misses.append(
                f"  {row['id']} {kind}, {distance} edits: {row['text']}\n    {said}\n    {wanted}"
            )
        if row.get("questionable"):
            result.readings.append(reading(row, ours))
        else:
            result.clean += 1
            result.edits += distance
            result.phones += len(row["phones"])
    return result


def reading(row: Row, ours: list[str]) -> str:
    """A line of the Markdown table: what we read instead on a questionable row, and why."""
    matcher = difflib.SequenceMatcher(a=row["phones"], b=ours, autojunk=False)
    changes = [
        f"{' '.join(row['phones'][a:b]) or '∅'} → {' '.join(ours[c:d]) or '∅'}"
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]
    cells = [row["id"], row["text"], "; ".join(row["questionable"])]
    cells.append("; ".join(changes[:6]) + ("; …" if changes[6:] else "") or "as published")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def score_file(path: Path) -> Score:
    """One golden file with the frontend its weights need."""
    golden = FILES[path.stem]
    frontend = Frontend(golden.config)

    def phones(row: Row) -> Sequence[str]:
        spoken = frontend(row["text"], golden.language)
        if any(not 0 <= index < len(frontend.symbols) for index in spoken.ids):
            raise AssertionError("an id outside the table")
        for part in spoken.segments:
            if part.word2ph is not None and sum(part.word2ph) != len(part.phonemes):
                raise AssertionError("word2ph does not count the phonemes")
        return spoken.phonemes

    return score(path.stem, read(path), phones)


def score_cuts(path: Path) -> tuple[str, bool]:
    """The published cuts, raw and prepared."""
    total = same = 0
    for row in read(path):
        for method, wanted in row["cuts"].items():
            total += 1
            same += cuts.raw_cut(row["text"], method) == wanted
        for method, wanted in row["pre_seg"].items():
            total += 1
            same += _prepared(row, method) == wanted
    passed = same == total
    return f"cuts          {total:4d} cuts, {same} equal {'pass' if passed else 'MISS'}", passed


def _prepared(row: Row, method: str) -> list[str] | dict[str, str]:
    try:
        return cuts.published(row["text"], method, language=row["lang"])
    except TextError:
        return {"error": "ValueError"}


def check_tables(folder: Path) -> Iterator[tuple[str, bool]]:
    """Symbol ids and the pinyin table, where the folder has them."""
    for version in ("v1", "v2"):
        path = folder / f"symbols_{version}.json"
        if path.is_file():
            wanted = json.loads(path.read_text(encoding="utf-8"))
            same = list(SymbolTable(version).names) == list(wanted)
            yield f"symbols_{version}    {len(wanted):4d} ids {'pass' if same else 'MISS'}", same
    path = folder / "pinyin_to_phones.json"
    if path.is_file():
        table = json.loads(path.read_text(encoding="utf-8"))
        wrong = [s for s, (a, b) in table.items() if split_syllable(s + "1") != (a, b + "1")]
        text = f"pinyin        {len(table):4d} syllables, {len(wrong)} differ {' '.join(wrong[:5])}"
        yield f"{text} {'MISS' if wrong else 'pass'}", not wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The table of one folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="laid out like golden/text/public")
    parser.add_argument("--tables", type=Path, metavar="DIR", help="default: the folder above DIR")
    parser.add_argument("--misses", action="store_true", help="print every row that differs")
    parser.add_argument("--readings", action="store_true", help="Markdown: questionable rows")
    args = parser.parse_args(arguments)
    paths = [args.folder / f"{name}.jsonl" for name in FILES]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        sys.stderr.write(f"error: {args.folder} holds none of {', '.join(FILES)} (.jsonl)\n")
        return 2
    scores: list[Score] = []
    for path in paths:
        scores.append(score_file(path))
        sys.stdout.write(f"{scores[-1]}\n")
        sys.stdout.writelines(f"  crash {crash}\n" for crash in scores[-1].crashes)
        if args.readings:
            sys.stdout.write("| row | text | why it is questionable | published → ours |\n")
            sys.stdout.writelines(f"{line}\n" for line in ["|---" * 4 + "|", *scores[-1].readings])
        if args.misses:
            sys.stdout.writelines(f"{miss}\n" for miss in scores[-1].misses)
        sys.stdout.flush()
    checks = list(check_tables(args.tables or args.folder.resolve().parent))
    if (args.folder / "cuts.jsonl").is_file():
        checks.append(score_cuts(args.folder / "cuts.jsonl"))
    sys.stdout.writelines(f"{line}\n" for line, _ in checks)
    missed = [one.name for one in scores if not one.passed]
    missed += [line.split()[0] for line, passed in checks if not passed]
    crashes = sum(len(one.crashes) for one in scores)
    rows = sum(one.rows for one in scores)
    verdict = f"MISS: {', '.join(missed)}" if missed else "all bars met"
    sys.stdout.write(f"{len(scores)} files, {rows} rows, {crashes} crashes: {verdict}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
