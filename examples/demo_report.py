"""The demo's report: what was said, what was asked for, what came out, as one HTML page with PNGs.

runs/<name>/report.html, figures in runs/<name>/figures/, sounds beside them
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from examples.demo_dialogue import HeldOut

STYLE = """
body{font:15px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#0f172a}
table{border-collapse:collapse}
td,th{padding:.3em .8em;border-bottom:1px solid #cbd5e1;text-align:left}
img{max-width:100%}.honest{background:#fef3c7;padding:.8em 1em;border-radius:6px}
.side{display:grid;grid-template-columns:repeat(3,1fr);gap:1em}.side audio{width:100%}
"""


@dataclass(frozen=True)
class Sound:
    """One of the three ways the response is heard."""

    title: str
    explanation: str
    samples: np.ndarray  # float32 (T,) at 32 kHz
    file: str


@dataclass(frozen=True)
class Findings:
    """Everything the page shows, gathered before a line of it is written."""

    sounds: list[Sound]
    figures: dict[str, str]  # title -> file relative to the page
    swap: str
    seconds: dict[str, float]
    reply_seconds: float


def paragraph(text: str, *, css: str = "") -> str:
    """One escaped paragraph."""
    return f'<p class="{css}">{escape(text)}</p>' if css else f"<p>{escape(text)}</p>"


def dialogue_table(held_out: HeldOut, run: Path) -> str:
    """The history, with its recordings, and the text to speak."""
    rows = []
    for number, turn in enumerate(held_out.history):
        file = f"sounds/history_{number}.flac"
        shutil.copyfile(held_out.audio(turn), run / file)
        sound = f'<audio controls preload="none" src="{file}"></audio>'
        rows.append((turn.speaker, turn.text, sound))
    rows.append((held_out.response.speaker, held_out.response.text, "<b>to be spoken</b>"))
    cells = "".join(
        f"<tr><td>{escape(who)}</td><td>{escape(text)}</td><td>{sound}</td></tr>"
        for who, text, sound in rows
    )
    return f"<table><tr><th>speaker</th><th>text</th><th>sound</th></tr>{cells}</table>"


def sounds_side_by_side(sounds: list[Sound]) -> str:
    """Recording, resynthesis and reply beside each other."""
    cells = "".join(
        f"<div><h3>{escape(sound.title)}</h3>"
        f'<audio controls src="{sound.file}"></audio>{paragraph(sound.explanation)}</div>'
        for sound in sounds
    )
    return f'<div class="side">{cells}</div>'


def page(held_out: HeldOut, findings: Findings, run: Path) -> str:
    """The whole page as HTML."""
    timings = "".join(
        f"<tr><td>{escape(name)}</td><td>{seconds:.1f} s</td></tr>"
        for name, seconds in findings.seconds.items()
    )
    figures = "".join(
        f'<h2>{escape(title)}</h2><img src="{file}" alt="{escape(title)}">'
        for title, file in findings.figures.items()
    )
    honest = (
        "This model trained for a few minutes on a CPU, on a small corpus made with an embedded "
        "synthesiser. Expect rough speech: the way through all parts is what is shown here, not "
        "the quality they reach. The resynthesis tells what stage 2 alone makes of the recording's "
        "own tokens; the reply adds stage 1. No other vocoder or synthesiser made any of the two."
    )
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Demo report</title>',
            f"<style>{STYLE}</style><h1>A reply to a held-out dialogue</h1>",
            paragraph(honest, css="honest"),
            dialogue_table(held_out, run),
            "<h2>Recording, resynthesis, reply</h2>",
            sounds_side_by_side(findings.sounds),
            "<h2>Does the history matter?</h2>",
            paragraph(findings.swap),
            figures,
            "<h2>Timings</h2>",
            f"<table>{timings}</table>",
            paragraph(
                f"The reply lasts {findings.reply_seconds:.2f} s. Stages that were reused show the "
                "time they took when they ran."
            ),
            "</html>\n",
        ]
    )


def metrics(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The curves of one training: name -> (steps, values), from its metrics.jsonl."""
    curves: dict[str, tuple[list[float], list[float]]] = {}
    if not path.exists():
        return {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record: dict[str, Any] = json.loads(line)
        for name, value in record.items():
            if name not in {"step", "epoch", "time"} and isinstance(value, int | float):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(float(record["step"]))
                values.append(float(value))
    return {name: (np.asarray(s), np.asarray(v)) for name, (s, v) in curves.items()}


def write_report(run: Path, held_out: HeldOut, *, seconds: dict[str, float]) -> Path:
    """Measure, draw and write `run/report.html`; returns its path."""
    from examples.demo_measure import measure

    (run / "sounds").mkdir(parents=True, exist_ok=True)
    (run / "figures").mkdir(parents=True, exist_ok=True)
    findings = measure(run, held_out, seconds=seconds)
    report = run / "report.html"
    report.write_text(page(held_out, findings, run), encoding="utf-8")
    return report
