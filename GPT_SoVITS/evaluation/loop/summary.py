"""Ledger rows -> the numbers of a report: per system, beside the recordings, and in pairs.

Every item of the run is in every error rate: one without sound or transcript counts as all deleted.
Distances to the recording need sound; how many items they rest on is stated beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from GPT_SoVITS.evaluation.loop.config import RECORDED
from GPT_SoVITS.evaluation.loop.items import EvalItem
from GPT_SoVITS.evaluation.loop.score import counts_of
from GPT_SoVITS.evaluation.metrics.intervals import bootstrap_mean, paired_difference
from GPT_SoVITS.evaluation.metrics.speed import Timing, real_time_factors, spread
from GPT_SoVITS.evaluation.metrics.style import DIMENSIONS, StyleClasses
from GPT_SoVITS.evaluation.metrics.words import corpus_rate, mean_rate

Rows = Mapping[str, Mapping[str, Any]]
"""item id -> its score row"""


def summarise(
    items: Sequence[EvalItem],
    scores: Mapping[str, Rows],
    spoken: Mapping[str, Rows],
    missing: Callable[[EvalItem], Mapping[str, Any]],
    *,
    latency: Mapping[str, Sequence[float]],
) -> dict[str, Any]:
    """Everything the report shows; `scores` and `spoken` by system."""
    styles = _style_classes(items, scores)
    systems = {
        system: {
            "failed": [item.id for item in items if rows[item.id]["status"] != "ok"],
            "errors": _errors(items, rows, missing),
            "against": _against(items, rows),
            "style": _style(items, rows, scores.get(RECORDED, {}), styles),
            "speed": _speed(items, spoken[system], rows),
            "first_chunk_seconds": _latency(latency.get(system, ())),
        }
        for system, rows in scores.items()
    }
    _ratios(systems)
    return {"items": len(items), "systems": systems, "pairs": _pairs(items, scores, missing)}


def _heard(rows: Rows, item: EvalItem, missing: Callable[..., Mapping[str, Any]]) -> Any:
    row = rows[item.id]
    return row["heard"] if row["status"] == "ok" else missing(item)


def _errors(
    items: Sequence[EvalItem], rows: Rows, missing: Callable[..., Mapping[str, Any]]
) -> dict[str, Any]:
    """recogniser -> unit -> corpus rate, mean utterance rate, interval, by language."""
    groups: dict[tuple[str, str, str], list[tuple[Any, str]]] = {}
    for item in items:
        for name, heard in _heard(rows, item, missing).items():
            for unit in ("words", "characters", "phones"):
                if unit in heard:
                    one = (counts_of(heard[unit]), item.group)
                    for part in ("all", item.language):
                        groups.setdefault((name, unit, part), []).append(one)
    found: dict[str, Any] = {}
    for (name, unit, part), values in groups.items():
        counts = [count for count, _ in values]
        interval = bootstrap_mean(
            [c.errors / max(1, c.reference) for c in counts],
            [group for _, group in values],
            weights=[max(1, c.reference) for c in counts],
        )
        found.setdefault(name, {}).setdefault(unit, {})[part] = {
            "corpus": corpus_rate(counts),
            "mean_utterance": mean_rate(counts),
            "low": interval.low,
            "high": interval.high,
            "utterances": len(counts),
            "S": sum(c.substitutions for c in counts),
            "D": sum(c.deletions for c in counts),
            "I": sum(c.insertions for c in counts),
            "N": sum(c.reference for c in counts),
        }
    return found


def _ratios(systems: dict[str, Any]) -> None:
    """Corpus rates divided by those of the recordings."""
    truth = systems.get(RECORDED, {}).get("errors", {})
    for values in systems.values():
        for name, units in values["errors"].items():
            for unit, parts in units.items():
                for part, entry in parts.items():
                    base = truth.get(name, {}).get(unit, {}).get(part)
                    if base and base["corpus"] > 0:
                        entry["ratio_to_recorded"] = entry["corpus"] / base["corpus"]


def _against(items: Sequence[EvalItem], rows: Rows) -> dict[str, Any]:
    """metric -> interval over the items that have it."""
    values: dict[str, list[tuple[float, str]]] = {}
    for item in items:
        for name, value in rows[item.id].get("against", {}).items():
            if value is not None:
                values.setdefault(name, []).append((value, item.group))
    return {
        name: bootstrap_mean([v for v, _ in pairs], [g for _, g in pairs]).as_dict()
        for name, pairs in values.items()
    }


def _style_classes(items: Sequence[EvalItem], scores: Mapping[str, Rows]) -> StyleClasses | None:
    rows = scores.get(RECORDED, {})
    fine = [rows[i.id]["style"] for i in items if rows and rows[i.id]["status"] == "ok"]
    return StyleClasses.fit(fine) if len(fine) >= 3 else None


def _style(
    items: Sequence[EvalItem], rows: Rows, truth: Rows, classes: StyleClasses | None
) -> dict[str, Any]:
    """Agreement of style classes with the recording, and the styles' own means."""
    found: dict[str, Any] = {}
    fine = [item for item in items if rows[item.id]["status"] == "ok"]
    for name in DIMENSIONS:
        values = [rows[item.id]["style"][name] for item in fine]
        finite = [value for value in values if value is not None and value == value]
        if finite:
            found[name] = spread(finite).as_dict()
    paired = [item for item in fine if truth and truth[item.id]["status"] == "ok"]
    if classes is not None and paired:
        agreed = [
            classes.agreement(truth[item.id]["style"], rows[item.id]["style"])["all"]
            for item in paired
        ]
        groups = [item.group for item in paired]
        found["agreement"] = bootstrap_mean(agreed, groups).as_dict()
    return found


def _speed(items: Sequence[EvalItem], spoken: Rows, rows: Rows) -> dict[str, Any]:
    timings = [
        Timing(spoken[item.id]["wall_seconds"], rows[item.id]["seconds"])
        for item in items
        if rows[item.id]["status"] == "ok" and "wall_seconds" in spoken[item.id]
    ]
    if not timings:
        return {}
    return {name: one.as_dict() for name, one in real_time_factors(timings).items()}


def _latency(values: Sequence[float]) -> dict[str, float]:
    return spread(list(values)).as_dict() if values else {}


def _pairs(
    items: Sequence[EvalItem],
    scores: Mapping[str, Rows],
    missing: Callable[..., Mapping[str, Any]],
) -> dict[str, Any]:
    """system -> baseline -> error rate per recogniser, system minus baseline on the same items."""
    found: dict[str, Any] = {}
    names = [name for name in scores if name != RECORDED]
    groups = {item.id: item.group for item in items}
    for name in names[1:]:
        base, gaps = names[0], {}
        for recognizer in sorted({r for i in items for r in _heard(scores[base], i, missing)}):
            rates = []
            for item in items:
                heard = [_heard(scores[s], item, missing).get(recognizer) for s in (base, name)]
                if all(heard):
                    unit = "words" if "words" in heard[0] else "phones"
                    rates.append((item.id, *(one[unit]["rate"] for one in heard)))
            if rates:
                gaps[recognizer] = paired_difference(
                    [r[1] for r in rates], [r[2] for r in rates], [groups[r[0]] for r in rates]
                ).as_dict()
        found[f"{name} − {base}"] = gaps
    return found
