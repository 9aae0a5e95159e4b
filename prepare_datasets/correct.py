"""Correct turns of a prepared corpus by hand: `python -m prepare_datasets.correct --help`.

    python -m prepare_datasets.correct --data data/mine text mine/7/3 "Hello there."
    python -m prepare_datasets.correct --data data/mine drop mine/7/5 --reason "two people at once"
    python -m prepare_datasets.correct --data data/mine split mine/7/4 2.1 "Yes." "Let us go."
    python -m prepare_datasets.correct --data data/mine merge mine/7/8 mine/7/9
    python -m prepare_datasets.correct --data data/mine undo
    python -m prepare_datasets.correct --data data/mine list

Nothing of the corpus is touched: a line is added to the history (corrections.jsonl), and preparing
the corpus again makes what it changes. Exit codes: 0 added, 2 refused.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prepare_datasets.corrections import FILE, check, in_force, read_history
from prepare_datasets.errors import PrepareError
from prepare_datasets.jsonl import AtomicFile, Record, read_jsonl
from prepare_datasets.lock import locked

log = logging.getLogger("prepare_datasets")


def add(data: str | Path, op: str, *, history: str | Path | None = None, **values: Any) -> Record:
    """Add one correction to the history of a prepared corpus; the line as it was written.

    `values` are the fields of `corrections.FIELDS`. Raises `PrepareError` where the correction is
    none, or the corpus has no such turn. The history is complete or as before, whatever happens.
    """
    data = Path(data)
    path = Path(history) if history else data / FILE
    with locked(path.parent, f".{path.name}.lock"):
        lines = read_history(path)
        line = {"number": len(lines) + 1, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        line |= {"op": op} | values
        try:
            check(line)
            _check_against(data, line, lines)
        except ValueError as error:
            raise PrepareError(str(error)) from None
        with AtomicFile(path) as file:
            for one in [*lines, line]:
                file.add(one)
    return line


def drop_many(data: str | Path, reasons: Mapping[str, str]) -> int:
    """Drop turns of the corpus, {id: reason}, that are not dropped yet; how many were added."""
    path = Path(data) / FILE
    with locked(path.parent, f".{path.name}.lock"):
        lines = read_history(path)
        there = {line["id"] for line in in_force(lines) if line["op"] == "drop"}
        time = datetime.now(UTC).isoformat(timespec="seconds")
        new = [
            {"number": len(lines) + place, "time": time, "op": "drop", "id": id_, "reason": reason}
            for place, (id_, reason) in enumerate(
                ((i, r) for i, r in reasons.items() if i not in there), start=1
            )
        ]
        if new:
            with AtomicFile(path) as file:
                for one in [*lines, *new]:
                    file.add(one)
    return len(new)


def undo(data: str | Path, of: int | None = None, *, history: str | Path | None = None) -> Record:
    """Take back correction number `of`, or the last one in force. Raises `PrepareError`."""
    path = Path(history) if history else Path(data) / FILE
    if of is None:
        lines = in_force(read_history(path))
        if not lines:
            raise PrepareError(f"{path}: nothing to undo")
        of = lines[-1]["number"]
    return add(data, "undo", history=history, of=of)


def _check_against(data: Path, line: Record, lines: list[Record]) -> None:
    """What only the corpus and the history can tell."""
    if line["op"] == "undo":
        if not 1 <= line["of"] <= len(lines):
            raise ValueError(f"undo: there is no correction {line['of']}")
        return
    turns = data / "1_dialogues" / "turns.jsonl"
    if not turns.is_file():
        raise ValueError(f"{data} is not prepared yet; run `python -m prepare_datasets` first")
    wanted = {line[name] for name in ("id", "with") if name in line}
    # A half that a split made since the corpus was prepared is known from the history.
    made = {f"{one['id']}.2" for one in in_force(lines) if one["op"] == "split"}
    missing = wanted - made
    if missing:
        missing -= {turn["id"] for turn in read_jsonl(turns) if turn["id"] in missing}
    if missing:
        raise ValueError(f"{data} has no turn {', '.join(sorted(missing))}")


def build_parser() -> argparse.ArgumentParser:
    """One sub-command per operation."""
    parser = argparse.ArgumentParser(
        prog="python -m prepare_datasets.correct",
        description="Correct turns of a prepared corpus; recordings and transcripts stay.",
        allow_abbrev=False,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the prepared corpus")
    parser.add_argument("--corrections", type=Path, help="history; default: DATA/corrections.jsonl")
    commands = parser.add_subparsers(dest="op", required=True)
    one = commands.add_parser("text", help="another transcript")
    one.add_argument("id")
    one.add_argument("text")
    one = commands.add_parser("drop", help="leave the turn out")
    one.add_argument("id")
    one.add_argument("--reason", default="", help="for the ledger")
    one = commands.add_parser("split", help="two turns of one")
    one.add_argument("id")
    one.add_argument("at", type=float, help="seconds from the turn's beginning")
    one.add_argument("texts", nargs=2, metavar="TEXT")
    one = commands.add_parser("merge", help="a turn and the next of the same speaker become one")
    one.add_argument("id")
    one.add_argument("with", metavar="NEXT")
    one = commands.add_parser("undo", help="take a correction back")
    one.add_argument("of", type=int, nargs="?", help="its number; default: the last in force")
    commands.add_parser("list", help="the history, one JSON line each")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Add one line, or list them."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    values = vars(build_parser().parse_args(arguments))
    data, history, op = values.pop("data"), values.pop("corrections"), values.pop("op")
    try:
        if op == "list":
            lines = read_history(history or data / FILE)
            force = {line["number"] for line in in_force(lines)}
            shown = [line | {"in_force": line["number"] in force} for line in lines]
        elif op == "undo":
            shown = [undo(data, values["of"], history=history)]
        else:
            shown = [add(data, op, history=history, **values)]
    except (PrepareError, OSError) as error:
        log.error("%s", error)
        return 2
    for line in shown:
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
