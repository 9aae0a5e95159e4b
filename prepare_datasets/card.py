"""The dataset card: report.md and report.html with plots, what was left out and why, examples."""

from __future__ import annotations

import base64
import html
import io
from typing import Any
from urllib.parse import quote

from GPT_SoVITS.plots.canvas import literal
from prepare_datasets.config import PrepareConfig
from prepare_datasets.jsonl import read_jsonl, write_text
from prepare_datasets.numbers import CorpusNumbers

SHOWN_ENTRIES = 50  # lines of the ledger in the card; ledger.jsonl has all
PLOTS = {
    "seconds": "turns by duration (s)",
    "turns": "dialogues by number of turns",
    "phonemes_per_second": "turns by phonemes per second",
    "history_seconds": "turns by length of their history (s)",
    "speakers": "turns by speaker",
    "languages": "turns by language",
    "styles": "turns by style",
    "tokens": "tokens by how often they are used, most frequent first",
}
MAX_BARS = 40
LONGEST_LABEL = 24


def write_card(config: PrepareConfig, report: dict[str, Any], numbers: CorpusNumbers) -> None:
    """Both files; the HTML holds its plots, the Markdown refers to report_plots.png."""
    folder = config.folder
    plots = _plots(numbers)
    partial = folder / ".report_plots.png.partial"
    partial.write_bytes(plots)
    partial.replace(folder / "report_plots.png")
    tables = _tables(config, report)
    write_text(folder / "report.md", _markdown(config, report, tables, numbers))
    write_text(folder / "report.html", _html(config, report, tables, numbers, plots))


def _summary(report: dict[str, Any]) -> str:
    dialogues = report["dialogues"]
    return (
        f"{report['in']} turns in = {report['kept']} kept + {report['quarantined']} quarantined + "
        f"{report['dropped']} dropped. {report['hours']} h, {len(report['speakers'])} speakers, "
        f"{dialogues['train']} training and {dialogues['valid']} validation dialogues. "
        f"Quantizer {report['quantizer_id']}."
    )


def _tables(config: PrepareConfig, report: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    """Title -> rows, the first of them the header."""
    why = [(code, str(n)) for code, n in report["reasons"].items()]
    seen = [(code, str(n)) for code, n in report["notices"].items()]
    lines: list[tuple[str, ...]] = []
    for line in read_jsonl(config.folder / "ledger.jsonl"):
        lines.append((line["action"], line["code"], line["path"], line["message"]))
        if len(lines) == SHOWN_ENTRIES:
            break
    return {
        "Left out": [("code", "turns"), *why],
        "Noticed": [("code", "times"), *seen],
        f"Ledger (at most {SHOWN_ENTRIES} lines)": [("action", "code", "path", "why"), *lines],
    }


def _markdown(
    config: PrepareConfig,
    report: dict[str, Any],
    tables: dict[str, list[tuple[str, ...]]],
    numbers: CorpusNumbers,
) -> str:
    parts = [f"# Data set {config.name}", _summary(report), "![distributions](report_plots.png)"]
    for title, (header, *rows) in tables.items():
        if rows:
            table = ["| " + " | ".join(_cell(c) for c in row) + " |" for row in [header, *rows]]
            table.insert(1, "|" + "---|" * len(header))
            parts += [f"## {title}", "\n".join(table)]
    lines = [
        f"- [{_cell(turn['speaker'])}]({quote(turn['audio'])}): {_cell(turn['text'])}"
        for turn in numbers.examples
    ]
    return "\n\n".join([*parts, "## A dialogue to listen to", "\n".join(lines)]) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _html(
    config: PrepareConfig,
    report: dict[str, Any],
    tables: dict[str, list[tuple[str, ...]]],
    numbers: CorpusNumbers,
    plots: bytes,
) -> str:
    image = base64.b64encode(plots).decode("ascii")
    parts = [
        f"<!doctype html><meta charset='utf-8'><title>{html.escape(config.name)}</title>",
        "<style>body{font-family:sans-serif;max-width:60em;margin:auto}td,th{text-align:left;"
        "padding:.1em .8em .1em 0}img{width:100%}</style>",
        f"<h1>Data set {html.escape(config.name)}</h1><p>{html.escape(_summary(report))}</p>",
        f"<img alt='distributions' src='data:image/png;base64,{image}'>",
    ]
    for title, (header, *rows) in tables.items():
        if rows:
            body = "".join(_row(row, "td") for row in rows)
            parts.append(f"<h2>{html.escape(title)}</h2><table>{_row(header, 'th')}{body}</table>")
    parts.append("<h2>A dialogue to listen to</h2>")
    for turn in numbers.examples:
        told = html.escape(f"{turn['speaker']}: {turn['text']}")
        audio = html.escape(quote(turn["audio"]), quote=True)
        parts.append(f"<p>{told}<br><audio controls preload='none' src=\"{audio}\"></audio></p>")
    return "\n".join(parts) + "\n"


def _row(cells: tuple[str, ...], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _short(name: str) -> str:
    """A speaker's name as a label; long ones lose their middle."""
    shown = name if len(name) <= LONGEST_LABEL else f"{name[:12]}…{name[-11:]}"
    return literal(shown)


def _plots(numbers: CorpusNumbers) -> bytes:
    """All distributions on one page, as PNG: the same numbers give the same bytes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 2.6 * len(PLOTS) / 2), layout="constrained")
    axes = figure.subplots(len(PLOTS) // 2, 2).flat
    for axis, (name, title) in zip(axes, PLOTS.items()):
        axis.set_title(title, fontsize=9)
        if name in numbers.histograms:
            histogram = numbers.histograms[name]
            edges, heights = histogram.bars()
            axis.bar(edges, heights, width=histogram.width, align="edge")
        elif name == "tokens":
            axis.plot([count for _, count in numbers.tokens.most_common()])
        else:
            common = getattr(numbers, name).most_common(MAX_BARS)
            axis.bar(range(len(common)), [count for _, count in common])
            names = [_short(label) for label, _ in common]
            turned = 60 if len(common) > 4 else 0
            axis.set_xticks(range(len(common)), names, rotation=turned, fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})
    return buffer.getvalue()
