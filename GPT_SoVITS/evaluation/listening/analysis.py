"""Answers of a listening test and its key -> means with intervals, comparisons, agreement.

    python -m GPT_SoVITS.evaluation.listening.analysis --key runs/listening/key.json \
        --answers runs/listening/answers --output runs/listening/result

`--answers` is a folder of the JSON or CSV files the pages save, one per rater. Writes report.json,
report.md and report.html.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GPT_SoVITS.evaluation.listening.sheets import ListeningError
from GPT_SoVITS.evaluation.listening.statistics import (
    agreement_with_others,
    crossed_bootstrap,
    krippendorff_alpha,
    sign_test,
    wilson,
)
from GPT_SoVITS.evaluation.page import html_table, inline_figure, markdown_table, page
from GPT_SoVITS.plots import interval_rows

log = logging.getLogger(__name__)
RANGES = {"mos": (1, 5), "cmos": (-3, 3), "ab": (-1, 1)}


@dataclass(frozen=True)
class Judgement:
    """One answer with the names the key gives it."""

    rater: str
    scale: str
    item: str
    systems: tuple[str, ...]
    """as they were played"""
    value: float
    seconds: float


def read_answers(folder: str | Path, key: Mapping[str, Any]) -> tuple[list[Judgement], list[str]]:
    """Every file of a folder -> judgements, and the raters whose pages did not come back.

    Raises ListeningError for a file that does not fit the key: an unknown rater or trial, a rater
    twice, a trial without an answer, a value outside the scale.
    """
    files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in (".json", ".csv"))
    if not files:
        raise ListeningError(f"{folder}: no .json or .csv with answers")
    found: list[Judgement] = []
    seen: dict[str, Path] = {}
    for path in files:
        rater, answers = _read(path)
        if rater not in key["raters"]:
            raise ListeningError(f"{path}: rater {rater!r} is not in the key")
        if rater in seen:
            raise ListeningError(f"{path}: {rater} has answered in {seen[rater].name} already")
        seen[rater] = path
        found += _judgements(path, rater, answers, key)
    return found, sorted(set(key["raters"]) - set(seen))


def _read(path: Path) -> tuple[str, list[dict[str, Any]]]:
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
        names = {row.get("rater") for row in rows}
        if len(names) != 1:
            raise ListeningError(f"{path}: must be of one rater, has {sorted(map(str, names))}")
        return str(names.pop()), rows
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
        return str(whole["rater"]), list(whole["answers"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ListeningError(f"{path}: not the answers of a page: {error}") from None


def _judgements(
    path: Path, rater: str, answers: Sequence[Mapping[str, Any]], key: Mapping[str, Any]
) -> list[Judgement]:
    trials, found = key["raters"][rater], []
    low, high = RANGES[key["kind"]]
    given = [str(answer.get("trial")) for answer in answers]
    if sorted(given) != sorted(trials):
        raise ListeningError(
            f"{path}: its trials are not those of {rater} in the key ({len(given)} answers, "
            f"{len(trials)} trials)"
        )
    for answer in answers:
        trial = trials[str(answer["trial"])]
        try:
            value, seconds = float(answer["value"]), float(answer.get("seconds") or 0.0)
        except (KeyError, TypeError, ValueError):
            raise ListeningError(f"{path}: trial {answer['trial']} has no answer") from None
        if not low <= value <= high:
            raise ListeningError(f"{path}: trial {answer['trial']}: {value} is not {low} to {high}")
        systems = tuple(trial["systems"])
        found.append(Judgement(rater, trial["scale"], trial["item"], systems, value, seconds))
    return found


def analyse(key: Mapping[str, Any], judgements: Sequence[Judgement]) -> dict[str, Any]:
    """scale -> systems, comparisons, agreement of the raters."""
    found: dict[str, Any] = {"kind": key["kind"], "answers": len(judgements), "scales": {}}
    for scale in key["scales"]:
        own = [j for j in judgements if j.scale == scale]
        found["scales"][scale] = _mos(own) if key["kind"] == "mos" else _pairs(own, key)
    return found


def _mos(own: Sequence[Judgement]) -> dict[str, Any]:
    by: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for j in own:
        by[j.systems[0]][j.rater, j.item] = j.value
    names = sorted(by)
    systems = {
        name: crossed_bootstrap([(r, i, v) for (r, i), v in by[name].items()]).as_dict()
        for name in names
    }
    comparisons = {}
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            both = [at for at in by[first] if at in by[second]]
            gaps = [(r, i, by[second][r, i] - by[first][r, i]) for r, i in both]
            comparisons[f"{second} − {first}"] = crossed_bootstrap(gaps).as_dict() | {
                "p_value": sign_test([gap for _, _, gap in gaps])
            }
    ratings = [(j.rater, f"{j.item}/{j.systems[0]}", j.value) for j in own]
    return {"systems": systems, "comparisons": comparisons} | _agreement(ratings)


def _pairs(own: Sequence[Judgement], key: Mapping[str, Any]) -> dict[str, Any]:
    """Each system against the baseline; values are turned so that + means better than it."""
    base = key["baseline"]
    by: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    ratings = []
    for j in own:
        other = next(name for name in j.systems if name != base)
        value = j.value if j.systems[1] == other else -j.value
        by[other].append((j.rater, j.item, value))
        ratings.append((j.rater, f"{j.item}/{other}", value))
    comparisons = {}
    for name, answers in sorted(by.items()):
        values = [value for _, _, value in answers]
        entry: dict[str, Any] = crossed_bootstrap(answers).as_dict()
        entry["p_value"] = sign_test(values)
        wins, losses = sum(v > 0 for v in values), sum(v < 0 for v in values)
        entry |= {"better": wins, "same": len(values) - wins - losses, "worse": losses}
        if wins + losses:
            low, high = wilson(wins, wins + losses)
            entry["preferred"] = {"share": wins / (wins + losses), "low": low, "high": high}
        comparisons[f"{name} − {base}"] = entry
    return {"systems": {}, "comparisons": comparisons} | _agreement(ratings)


def _agreement(ratings: Sequence[tuple[str, str, float]]) -> dict[str, Any]:
    units: dict[str, list[float]] = defaultdict(list)
    for _, unit, value in ratings:
        units[unit].append(value)
    several = any(len(values) > 1 for values in units.values())
    alpha = krippendorff_alpha(units) if several else float("nan")
    return {"alpha": alpha, "raters": agreement_with_others(ratings)}


def write_report(folder: Path, result: Mapping[str, Any]) -> None:
    """report.json, report.md, report.html."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_finite(result), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    md, parts = ["# Listening test", note(result)], [f"<p>{note(result)}</p>"]
    for scale, values in result["scales"].items():
        rows = [[name, _shown(v), str(v["n_items"]), "–"] for name, v in values["systems"].items()]
        for name, v in values["comparisons"].items():
            detail = f"p {v['p_value']:.4f}"
            if "preferred" in v:
                p = v["preferred"]
                detail += f"; preferred {p['share']:.2f} [{p['low']:.2f}, {p['high']:.2f}]"
                detail += f" ({v['better']} better, {v['same']} same, {v['worse']} worse)"
            rows.append([name, _shown(v), str(v["n_items"]), detail])
        cells = ["system or difference", "mean (95 %)", "answers", "test"], rows
        agreed = f"Agreement of the raters: Krippendorff's alpha {values['alpha']:.3f}."
        md += [f"## {scale}", markdown_table(*cells), agreed]
        parts += [f"<h2>{scale}</h2>", html_table(*cells), f"<p>{agreed}</p>"]
        shown = values["systems"] or values["comparisons"]
        spans = {name: (v["mean"], v["low"], v["high"]) for name, v in shown.items()}
        parts.append(inline_figure(interval_rows({scale: spans}, label="mean"), title=scale))
    (folder / "report.md").write_text("\n\n".join(md) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page("Listening test", parts), encoding="utf-8")


def note(result: Mapping[str, Any]) -> str:
    """What the figures rest on."""
    missing = ", ".join(result.get("missing_raters", ())) or "none"
    return (
        f"{result['kind']}, {result['answers']} answers; pages that did not come back: {missing}. "
        "Intervals are 95 %, raters and items drawn; p is the two-sided sign test over answers, "
        "which takes them for independent."
    )


def _shown(v: Mapping[str, Any]) -> str:
    return f"{v['mean']:.3f} [{v['low']:.3f}, {v['high']:.3f}]"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main(arguments: Sequence[str] | None = None) -> int:
    """Analyse and print the Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key", type=Path, required=True, help="key.json of the test")
    parser.add_argument("--answers", type=Path, required=True, help="folder of saved answers")
    parser.add_argument("--output", type=Path, required=True, help="folder of the report")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        key = json.loads(options.key.read_text(encoding="utf-8"))
        judgements, missing = read_answers(options.answers, key)
    except (ListeningError, OSError) as error:
        log.error("%s", error)
        return 2
    write_report(options.output, analyse(key, judgements) | {"missing_raters": missing})
    print((options.output / "report.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
