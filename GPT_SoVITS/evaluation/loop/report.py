"""Report of a run: report.json, report.md, report.html with figures and sound, items.csv."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from GPT_SoVITS.evaluation.loop.config import RECORDED, EvaluateConfig
from GPT_SoVITS.evaluation.loop.items import EvalItem
from GPT_SoVITS.evaluation.loop.measures import titles
from GPT_SoVITS.evaluation.loop.summary import Rows
from GPT_SoVITS.evaluation.page import html_table, inline_figure, markdown_table, page
from GPT_SoVITS.plots import interval_rows

ITEM_AUDIO = 40
Cells = tuple[list[str], list[list[str]]]


def write_report(
    folder: Path,
    config: EvaluateConfig,
    items: Sequence[EvalItem],
    scores: Mapping[str, Rows],
    spoken: Mapping[str, Rows],
    summary: Mapping[str, Any],
) -> None:
    """All four files; they are made from the ledger alone, so they can be made again."""
    text = json.dumps(_finite(summary), indent=1, ensure_ascii=False)
    (folder / "report.json").write_text(text + "\n", encoding="utf-8")
    write_csv(folder / "items.csv", items, scores, spoken)
    tables = {
        "Errors of the recognisers": errors_table(summary),
        "Against the recording": against_table(summary),
        "Style": style_table(summary),
        "Speed": speed_table(summary),
        "Paired comparisons (error rate per utterance)": pairs_table(summary),
    }
    tables = {title: cells for title, cells in tables.items() if cells[1]}
    notes = honest_notes(config, summary)
    md = ["# Evaluation", *notes]
    md += [f"## {title}\n\n{markdown_table(*cells)}" for title, cells in tables.items()]
    (folder / "report.md").write_text("\n\n".join(md) + "\n", encoding="utf-8")
    parts = ['<div class="note">' + "<br>".join(map(escape, notes)) + "</div>"]
    parts += [f"<h2>{escape(title)}</h2>" + html_table(*cells) for title, cells in tables.items()]
    parts += figures(summary)
    parts.append("<h2>Items</h2>" + item_table(folder, items, scores, spoken))
    (folder / "report.html").write_text(page("Evaluation", parts), encoding="utf-8")


def honest_notes(config: EvaluateConfig, summary: Mapping[str, Any]) -> list[str]:
    """What a reader must know before reading a figure."""
    notes = [f"{summary['items']} items, seed {config.seed}; intervals are 95 %, over dialogues."]
    for name, identity in summary["recognizers"].items():
        notes.append(f"Recogniser {name}: {identity}.")
    if not config.speaker_network:
        notes.append("Speaker similarity: statistics of the timbre, no trained speaker network.")
    for system, values in summary["systems"].items():
        if values["failed"]:
            notes.append(f"{system}: {len(values['failed'])} items failed and count as deleted.")
    return notes


def errors_table(summary: Mapping[str, Any]) -> Cells:
    """A row per system, recogniser, unit and language."""
    head = ["system", "recogniser", "unit", "language", "utterances", "corpus rate", "95 %"]
    head += ["mean utterance", "S / D / I of N", "ratio to recorded"]
    rows = []
    for system, values in summary["systems"].items():
        for recognizer, units in values["errors"].items():
            for unit, parts in units.items():
                for part, e in parts.items():
                    ratio = e.get("ratio_to_recorded")
                    rows.append(
                        [
                            *(system, recognizer, unit, part, str(e["utterances"])),
                            f"{100 * e['corpus']:.1f} %",
                            f"{100 * e['low']:.1f}–{100 * e['high']:.1f} %",
                            f"{100 * e['mean_utterance']:.1f} %",
                            f"{e['S']} / {e['D']} / {e['I']} of {e['N']}",
                            "–" if ratio is None else f"{ratio:.2f}",
                        ]
                    )
    return head, rows


def against_table(summary: Mapping[str, Any]) -> Cells:
    """Metrics down, systems across."""
    names = [name for name in summary["systems"] if name != RECORDED]
    rows = []
    for metric, title in titles().items():
        found = [summary["systems"][name]["against"].get(metric) for name in names]
        if any(found):
            rows.append([title, *(_interval(one) for one in found)])
    return ["metric", *names], rows


def style_table(summary: Mapping[str, Any]) -> Cells:
    """Means of the style dimensions and agreement of their classes with the recording."""
    columns = ("pitch_level", "pitch_range", "rate", "loudness")
    rows = []
    for system, values in summary["systems"].items():
        style = values["style"]
        cells = [
            f"{style[c]['mean']:.2f} ± {style[c]['sd']:.2f}" if c in style else "–" for c in columns
        ]
        rows.append([system, *cells, _interval(style.get("agreement"))])
    head = ["system", "pitch (12 log2 Hz)", "pitch range (st)", "rate (phones/s)", "loudness (dB)"]
    return [*head, "class agreement"], rows


def speed_table(summary: Mapping[str, Any]) -> Cells:
    """Real-time factors and first chunks of the models."""
    rows = []
    for system, values in summary["systems"].items():
        if values["speed"]:
            cells = [_timing(values["speed"].get(k)) for k in ("all", "short", "long")]
            wait = values["first_chunk_seconds"]
            shown = f"{wait['mean']:.2f} ± {wait['sd']:.2f} (n {wait['n']})" if wait else "–"
            rows.append([system, *cells, shown])
    return ["system", "RTF", "RTF short", "RTF long (≥ 4 s)", "first chunk (s)"], rows


def pairs_table(summary: Mapping[str, Any]) -> Cells:
    """Differences on the same items."""
    rows = [
        [pair, name, f"{d['mean']:+.3f} [{d['low']:+.3f}, {d['high']:+.3f}]", f"{d['p_value']:.4f}"]
        for pair, recognizers in summary["pairs"].items()
        for name, d in recognizers.items()
    ]
    return ["pair", "recogniser", "difference (95 %)", "p"], rows


def figures(summary: Mapping[str, Any]) -> list[str]:
    """Error rates and style agreement with their intervals."""
    errors: dict[str, dict[str, tuple[float, float, float]]] = {}
    for system, values in summary["systems"].items():
        for recognizer, units in values["errors"].items():
            unit = "words" if "words" in units else "phones"
            e = units[unit]["all"]
            errors.setdefault(f"{recognizer} ({unit})", {})[system] = (
                100 * e["corpus"],
                100 * e["low"],
                100 * e["high"],
            )
    found = []
    if errors:
        figure = interval_rows(errors, label="corpus error rate (%)")
        found.append(inline_figure(figure, title="What the recognisers make of it"))
    agreement = {
        system: (a["mean"], a["low"], a["high"])
        for system, values in summary["systems"].items()
        if (a := values["style"].get("agreement")) and system != RECORDED
    }
    if agreement:
        label = "style class agreement with the recording"
        figure = interval_rows({"": agreement}, label=label, lines={"chance": 1 / 3})
        found.append(inline_figure(figure, title="Style"))
    return found


def item_table(
    folder: Path, items: Sequence[EvalItem], scores: Mapping[str, Rows], spoken: Mapping[str, Rows]
) -> str:
    """What was said and heard, with sound; the first items only, all are in items.csv."""
    rows = []
    for item in items[:ITEM_AUDIO]:
        cells = [escape(item.id), escape(item.text)]
        for system in scores:
            said, score = spoken[system][item.id], scores[system][item.id]
            if said["status"] != "ok":
                cells.append(f'<span class="bad">{escape(said["message"])}</span>')
                continue
            heard = " · ".join(h["text"] for h in score.get("heard", {}).values())
            if score["status"] != "ok":
                heard = score["message"]
            source = escape(said["audio"], quote=True)
            cells.append(
                f'<audio controls preload="none" src="{source}"></audio><br>{escape(heard)}'
            )
        rows.append(cells)
    more = "" if len(items) <= ITEM_AUDIO else f"<p>{len(items)} items in items.csv</p>"
    return html_table(["item", "text", *scores], rows, raw=True) + more


def write_csv(
    path: Path, items: Sequence[EvalItem], scores: Mapping[str, Rows], spoken: Mapping[str, Rows]
) -> None:
    """One line per item and system."""
    names = ["item", "group", "language", "text", "system", "status", "message", "audio"]
    names += ["seconds", "wall_seconds", "recognizer", "heard", "error_rate", *titles()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for item in items:
            for system in scores:
                writer.writerows(_csv_rows(item, system, scores[system], spoken[system]))


def _csv_rows(item: EvalItem, system: str, scores: Rows, spoken: Rows) -> list[dict[str, Any]]:
    score, said = scores[item.id], spoken[item.id]
    row = {
        **{"item": item.id, "group": item.group, "language": item.language, "text": item.text},
        **{"system": system, "status": score["status"], "message": score.get("message", "")},
        **{"audio": said.get("audio", ""), "seconds": score.get("seconds", "")},
        "wall_seconds": said.get("wall_seconds", ""),
        **{name: score.get("against", {}).get(name, "") for name in titles()},
    }
    heard = score.get("heard") or {"": {"text": ""}}
    found = []
    for name, one in heard.items():
        counts = one.get("words") or one.get("phones") or {}
        found.append(
            row | {"recognizer": name, "heard": one["text"], "error_rate": counts.get("rate", "")}
        )
    return found


def _timing(s: Mapping[str, Any] | None) -> str:
    if not s:
        return "–"
    spread = f"{s['mean']:.2f} ± {s['sd']:.2f}"
    return f"{spread} (p50 {s['p50']:.2f}, p95 {s['p95']:.2f}, n {s['n']})"


def _interval(values: Mapping[str, Any] | None) -> str:
    if not values:
        return "–"
    n = values["n_items"]
    return f"{values['mean']:.3f} [{values['low']:.3f}, {values['high']:.3f}] (n {n})"


def _finite(value: Any) -> Any:
    """JSON has no NaN: absent values become null."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
